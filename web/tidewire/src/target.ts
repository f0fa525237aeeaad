/** What events come out of, with the attributes `onopen`, `onmessage`, `onerror` and `ongap`. */

import type { StreamError } from './error.js';
import { GAP, type Gap, gapOf } from './gap.js';
import type { Message } from './parser.js';

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

type Handler<E extends Event> = ((this: any, event: E) => unknown) | null;
/** As it is read: browsers' `EventSource` tells less of its events, and ours is one. */
type AnyHandler = ((this: any, event: any) => unknown) | null;
type Listener<E extends Event> = ((this: any, event: E) => unknown) | { handleEvent(event: E): unknown } | null;

export class StreamTarget extends EventTarget {
  readonly #handlers: Record<string, [Handler<never>, (event: Event) => void]> = {};

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

  get onopen(): AnyHandler {
    return this.#handler('open');
  }
  set onopen(handler: Handler<OpenEvent>) {
    this.#handle('open', handler);
  }
  get onmessage(): AnyHandler {
    return this.#handler('message');
  }
  set onmessage(handler: Handler<StreamMessageEvent>) {
    this.#handle('message', handler);
  }
  get onerror(): AnyHandler {
    return this.#handler('error');
  }
  set onerror(handler: Handler<ErrorEvent>) {
    this.#handle('error', handler);
  }
  /** Events were lost: the event is `tidewire.gap`, and its `gap` says why. */
  get ongap(): AnyHandler {
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

/** As `EventSource` dispatches it. */
export function messageEvent({ event, data, lastEventId, topics }: Message, origin: string): StreamMessageEvent {
  const message = new MessageEvent(event || 'message', { data, lastEventId, origin });
  return Object.assign(message, topics && { topics }, event === GAP && { gap: gapOf(data) });
}
