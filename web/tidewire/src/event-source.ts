/**
 * `EventSource` as browsers have it (WHATWG HTML, 9.2), over `fetch`: any method, a body, headers, and a reason when
 * it fails. A passing trouble (a proxy's 502, a server that restarts) is tried again, where browsers give up.
 */

import { StreamError } from './error.js';
import { GAP, gapOf } from './gap.js';
import type { Gap } from './gap.js';
import type { StreamOptions } from './options.js';
import { follow } from './session.js';

export interface EventSourceOptions extends Omit<StreamOptions, 'ongap'> {}

/** Of an attempt that failed. The event `error` of a publisher is a `MessageEvent`. */
export interface ErrorEvent extends Event {
  readonly error: StreamError;
}
export interface OpenEvent extends Event {
  readonly response: Response;
}
/** An event of the stream; `topics` where Tidewire tells them, `gap` on `tidewire.gap`. */
export interface StreamMessageEvent extends MessageEvent<string> {
  readonly topics?: string[];
  readonly gap?: Gap;
}

type Handler<E extends Event> = ((this: EventSource, event: E) => unknown) | null;
type Listener<E extends Event> = ((this: EventSource, event: E) => unknown) | { handleEvent(event: E): unknown } | null;

export class EventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;

  readonly url: string;
  readonly withCredentials: boolean;
  #state: 0 | 1 | 2 = 0;
  readonly #stop = new AbortController();
  readonly #handlers: Record<string, [Handler<never>, (event: Event) => void]> = {};

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
    signal?.addEventListener('abort', close);
    void this.#run(options).finally(() => signal?.removeEventListener('abort', close));
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
        open: (response) => {
          this.#state = 1;
          origin = response.url ? new URL(response.url).origin : origin;
          this.dispatchEvent(Object.assign(new Event('open'), { response }));
        },
        message: ({ event, data, lastEventId, topics }) => {
          const message = new MessageEvent(event || 'message', { data, lastEventId, origin });
          this.dispatchEvent(Object.assign(message, topics && { topics }, event === GAP && { gap: gapOf(data) }));
        },
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

  /** The attribute `on…`: a listener whose function can be exchanged. */
  #handler<E extends Event>(type: string): Handler<E> {
    return (this.#handlers[type]?.[0] ?? null) as Handler<E>;
  }
  #handle(type: string, handler: Handler<never>): void {
    const before = this.#handlers[type];
    if (typeof handler !== 'function') {
      if (before) super.removeEventListener(type, before[1]);
      delete this.#handlers[type];
    } else if (before) {
      before[0] = handler;
    } else {
      const listener = (event: Event) => this.#handlers[type]?.[0]?.call(this, event as never);
      this.#handlers[type] = [handler, listener];
      super.addEventListener(type, listener);
    }
  }

  get onopen(): Handler<OpenEvent> {
    return this.#handler('open');
  }
  set onopen(handler: Handler<OpenEvent>) {
    this.#handle('open', handler);
  }
  get onmessage(): Handler<StreamMessageEvent> {
    return this.#handler('message');
  }
  set onmessage(handler: Handler<StreamMessageEvent>) {
    this.#handle('message', handler);
  }
  get onerror(): Handler<ErrorEvent> {
    return this.#handler('error');
  }
  set onerror(handler: Handler<ErrorEvent>) {
    this.#handle('error', handler);
  }
  /** Events were lost: the event is `tidewire.gap`, and its `gap` says why. */
  get ongap(): Handler<StreamMessageEvent> {
    return this.#handler(GAP);
  }
  set ongap(handler: Handler<StreamMessageEvent>) {
    this.#handle(GAP, handler);
  }

  override addEventListener(type: 'open', listener: Listener<OpenEvent>, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: 'error', listener: Listener<ErrorEvent>, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: Listener<StreamMessageEvent>, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: Listener<never>, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
  }
  override removeEventListener(type: string, listener: Listener<never>, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
  }
}

/** As on instances of browsers' own. */
export interface EventSource {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;
}
Object.assign(EventSource.prototype, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
