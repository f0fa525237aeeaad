/**
 * `EventSource` as browsers have it (WHATWG HTML, 9.2), over `fetch`: any method, a body, headers, and a reason when
 * it fails. A passing trouble (a proxy's 502, a server that restarts) is tried again, where browsers give up.
 */

import type { StreamOptions } from './options.js';
import { follow } from './follow.js';
import { onAbort } from './signal.js';
import { StreamTarget, messageEvent } from './target.js';

export interface EventSourceOptions extends Omit<StreamOptions, 'ongap'> {}

export class EventSource extends StreamTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;

  readonly url: string;
  readonly withCredentials: boolean;
  #state: 0 | 1 | 2 = 0;
  readonly #stop = new AbortController();

  constructor(url: string | URL, options: EventSourceOptions = {}) {
    super();
    try {
      this.url = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
    } catch {
      throw new DOMException(`no address: ${url}`, 'SyntaxError');
    }
    this.withCredentials = !!options.withCredentials;
    const { signal } = options;
    const close = () => this.close();
    if (signal?.aborted) close();
    const leave = signal && onAbort(signal, close);
    void this.#run(options).finally(leave);
  }

  get readyState(): 0 | 1 | 2 {
    return this.#state;
  }

  close(): void {
    this.#state = 2;
    this.#stop.abort();
  }

  async #run(options: EventSourceOptions): Promise<void> {
    // Nobody listens before the constructor has returned.
    await undefined;
    let { origin } = new URL(this.url);
    const failed = (error: unknown, state: 0 | 2) => {
      if (this.#state === 2) return;
      this.#state = state;
      this.dispatchEvent(Object.assign(new Event('error'), { error }));
    };
    await follow(
      this.url,
      { end: false, ...options },
      {
        only200: true,
        open: (response) => {
          this.#state = 1;
          origin = response.url ? new URL(response.url).origin : origin;
          this.dispatchEvent(Object.assign(new Event('open'), { response }));
        },
        message: (message) => void this.dispatchEvent(messageEvent(message, origin)),
        failed: (error, final) => {
          if (!final) failed(error, 0);
        },
      },
      this.#stop.signal,
    ).then(
      () => failed(undefined, 2),
      (error: unknown) => failed(error, 2),
    );
  }
}

/** As on instances of browsers' own. */
export interface EventSource {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;
}
Object.assign(EventSource.prototype, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
