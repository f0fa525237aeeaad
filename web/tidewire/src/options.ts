/** What a caller can say about a stream; every entry point takes these. */

import type { Gap } from './gap.js';
import type { Limits, Message } from './parser.js';
import type { RetryPolicy } from './policy.js';

/** All that `fetch` takes goes to `fetch`, before each attempt. */
export interface StreamOptions extends Omit<RequestInit, 'headers' | 'cache'> {
  /** Or a function, which is asked before each attempt, and once more after a 401: for tokens that expire. */
  headers?: HeadersInit | undefined | (() => HeadersInit | undefined | Promise<HeadersInit | undefined>);
  /** Instead of the global one. It must give web streams. */
  fetch?: typeof fetch | undefined;
  /** As `EventSource` has it: cookies for other origins too. */
  withCredentials?: boolean | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  /** Resume after this id. */
  lastEventId?: string | undefined;
  /**
   * Cut a connection on which nothing came for so many milliseconds; 0: never. Unless set: three times what the server
   * announces (`Tidewire-Heartbeat`), or never.
   */
  idleTimeout?: number | undefined;
  /** Give an attempt up that has no answer after so many milliseconds; 0: what `fetch` does. Unless set: 60,000. */
  openTimeout?: number | undefined;
  /** Stay connected while the page is hidden. Unless set: yes; with `fetchEventSource` no. */
  openWhenHidden?: boolean | undefined;
  limits?: Partial<Limits> | undefined;
  /**
   * This request may be sent again although it is no GET and has opened a stream. Not needed where the server resumes
   * it (`Tidewire-Stream`, `Tidewire-Resume`) or knows it again by an `Idempotency-Key`.
   */
  repeat?: boolean | undefined;
  /**
   * Ask for a cursor before the first event (`?prime=1`), so that a connection lost before it resumes too. Unless set:
   * once the server has shown that it is a Tidewire.
   */
  prime?: boolean | undefined;
  /**
   * What makes the end of a body the end of the stream rather than a cut: its last event (unless set: `[DONE]` or an
   * event `end`), or `'eof'`: any clean end (unless set: with `fetchEventSource`), or `false`: only the server's 204
   * (unless set: with `EventSource`).
   */
  end?: false | 'eof' | ((event: Message) => boolean) | undefined;
  /** The stream is open: for the first time, or again. */
  onconnect?: ((response: Response) => void) | undefined;
  /** So many bytes of it came. */
  onbytes?: ((count: number) => void) | undefined;
  /** An attempt failed, and there is another one after so many milliseconds. */
  onretry?: ((error: unknown, wait: number) => void) | undefined;
  /** Events were lost: the server says so, or one was over a limit. */
  ongap?: ((gap: Gap) => void) | undefined;
  /** Comments, which say that somebody is there. */
  oncomment?: ((text: string) => void) | undefined;
}
