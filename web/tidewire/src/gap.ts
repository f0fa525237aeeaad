/** Lost events, as the stream tells it: never left to guess. */

export { GAP } from './protocol.js';

/**
 * Why events are lost.
 * - `expired`: they were let go (retention); `lagged`: the same, while the reader was connected
 * - `damaged`: what stood there is damaged on the server's disk
 * - `unknown`, `reset`: the server does not know the cursor (any more): what follows may repeat what was read
 * - `overlong`: one event was over a limit of this client
 * - `cors`: a server of another origin lets no page send the cursor (`Access-Control-Allow-Headers: Last-Event-ID` mends it)
 */
export type GapReason = 'expired' | 'lagged' | 'damaged' | 'unknown' | 'reset' | 'overlong' | 'cors' | (string & {});

export interface Gap {
  reason: GapReason;
  /** The cursor that was asked for. */
  requested: string;
  /** The stream goes on after this one. */
  resumedAfter: string;
}

/** A gap that cannot be read is still a gap. */
export function gapOf(data: string): Gap {
  let fields: Record<string, unknown> = {};
  try {
    fields = Object(JSON.parse(data));
  } catch {}
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    reason: text(fields['reason']) || 'unknown',
    requested: text(fields['requested']),
    resumedAfter: text(fields['resumed_after']),
  };
}
