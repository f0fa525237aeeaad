/**
 * `fetchEventSource` with the name and the options of the well-known one, so that moving over is one import. What it
 * does otherwise, it does on purpose: 204 is an end, a POST that has opened is not sent again by itself, ids and byte
 * order marks are read to the letter, and waits grow (see `docs/browser.md`).
 */

import { StreamError } from './error.js';
import type { StreamOptions } from './options.js';
import { EVENT_STREAM } from './protocol.js';
import type { Input } from './request.js';
import { follow } from './follow.js';

export const EventStreamContentType = EVENT_STREAM;

export interface EventSourceMessage {
  /** Empty if it has none of its own. */
  id: string;
  /** Empty if the stream does not name it. */
  event: string;
  data: string;
  retry?: number | undefined;
}

export interface FetchEventSourceInit extends StreamOptions {
  /** Accepts an answer by returning, refuses it by throwing. Unless set: it must be an event stream. */
  onopen?: ((response: Response) => unknown) | undefined;
  onmessage?: ((message: EventSourceMessage) => void) | undefined;
  /** The stream has ended. To throw here means that it should not have, and goes to `onerror`. */
  onclose?: (() => void) | undefined;
  /**
   * Throw to give up; return nothing to go on as usual, or how long to wait before the next attempt, in milliseconds:
   * that also repeats what is not repeated by itself.
   */
  onerror?: ((error: any) => number | null | undefined | void) | undefined;
  onretry?: ((error: unknown, wait: number) => void) | undefined;
}

/** Resolves when the stream has ended, or was aborted by `signal`; rejects with what is final. */
export async function fetchEventSource(input: Input, init: FetchEventSourceInit = {}): Promise<void> {
  const { onopen, onmessage, onclose, onerror, signal } = init;
  await follow(
    input,
    { openWhenHidden: false, end: 'eof', ...init },
    {
      accept: onopen,
      message: ({ event, data, id = '', retry }) => onmessage?.({ id, event, data, retry }),
      close: onclose,
      // Who throws an error of his own and takes it up again has said what he wants.
      failed: (error) => onerror?.(error) ?? (onerror && !(error instanceof StreamError)),
    },
    signal ?? new AbortController().signal,
  );
}
