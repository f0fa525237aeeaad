/** What a body is by its `Content-Type`, which may come more than once (Fetch, "extract a MIME type"). */

import { EVENT_STREAM } from './protocol.js';

/** A value, up to a comma that is in no quoted text. */
const VALUE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/gs;
const ESSENCE = /^[\t\n\r ]*([-\w!#$%&'*+.^`|~]+\/[-\w!#$%&'*+.^`|~]+)[\t\n\r ]*(?:;|$)/;

/** The last value that is a type at all counts. */
export function isEventStream(header: string | null): boolean {
  let essence: string | undefined;
  for (const value of header?.match(VALUE) ?? []) {
    const type = ESSENCE.exec(value)?.[1];
    if (type && type !== '*/*') essence = type;
  }
  return essence?.toLowerCase() === EVENT_STREAM;
}
