/** What a session tells its driver to do. */

import type { Message } from './parser.js';
import type { Sent } from './request.js';

/** After each, the driver polls again. At `failed`, and when it is over, it drops the connection that it holds. */
export type Action =
  /** Get the headers of an attempt: then `prepared` or `failed`. */
  | { do: 'prepare' }
  /** Send this: then `head` or `failed`. */
  | { do: 'send'; sent: Sent }
  /** Ask the caller whether this is a stream, or tell that it is open: then `accepted`, `opened` or `failed`. */
  | { do: 'accept' | 'open'; response: Response }
  /** Wait for what is under way, or for this moment. */
  | { do: 'wait'; until: number }
  /** Wait for bytes, or for this moment: then `bytes`, `ended` or `failed`. */
  | { do: 'read'; response: Response; until: number }
  /** Hand this out: then `given` or `failed`. */
  | { do: 'message'; message: Message }
  /** Tell this: `failed` if that fails. */
  | { do: 'bytes'; count: number }
  | { do: 'comment'; text: string }
  | { do: 'moved'; cursor: string }
  /** Read the beginning of this refusal: then `explained`. */
  | { do: 'explain'; response: Response }
  /** An attempt failed: then `answered`, with what the caller makes of it. */
  | { do: 'failed'; error: unknown; final: boolean }
  | { do: 'retry'; error: unknown; wait: number }
  /** The stream has ended: tell it; `failed` makes a failed attempt of it. */
  | { do: 'close' }
  /** It is over, for this reason or in good order. */
  | { do: 'throw'; error: unknown }
  | { do: 'done' };
