/**
 * A stream as an async iterator. It reads no further than it is asked: who is slow slows down the server, and nothing
 * piles up here.
 */

import { readBinary } from './binary.js';
import { deltaOf } from './delta.js';
import { StreamError } from './error.js';
import { GAP, gapOf } from './gap.js';
import type { Gap } from './gap.js';
import type { StreamOptions } from './options.js';
import type { Message } from './parser.js';
import type { Input } from './request.js';
import { follow, isEndEvent } from './session.js';
import { onAbort } from './signal.js';

export interface StreamEvent {
  /** `message` unless the stream names it. */
  type: string;
  data: string;
  /** The id to resume after. */
  lastEventId: string;
  /** Its own id, if it has one. */
  id?: string | undefined;
  /** The topics it was published to, where Tidewire tells them (`?show=topic`). */
  topics?: string[] | undefined;
  /** On `tidewire.gap`: events before this one are lost. */
  gap?: Gap | undefined;
}

/** A stream, read once: by iterating it, or one of its views. */
export class EventStream implements AsyncIterableIterator<StreamEvent> {
  /** Of the newest answer. */
  response: Response | undefined;
  /** The id to resume after. */
  lastEventId: string;

  readonly #input: Input;
  readonly #options: StreamOptions;
  readonly #stop = new AbortController();
  #run: Promise<void> | undefined;
  #opened = deferred<Response>();
  /** Who waits for an event. */
  readonly #takers: Deferred<IteratorResult<StreamEvent, undefined>>[] = [];
  /** An event that waits to be taken. */
  #offer: { event: StreamEvent; taken: () => void } | undefined;
  #isOver = false;
  /** Told once. */
  #failure: { error: unknown } | undefined;

  constructor(input: Input, options: StreamOptions) {
    this.#input = input;
    this.#options = options;
    this.lastEventId = options.lastEventId ?? '';
    this.#opened.promise.catch(() => {});
  }

  /** Resolves when the stream opens for the first time; rejects if it never does. Reading has begun by then. */
  get opened(): Promise<Response> {
    this.#start();
    return this.#opened.promise;
  }
  get status(): number | undefined {
    return this.response?.status;
  }
  get headers(): Headers | undefined {
    return this.response?.headers;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<StreamEvent, undefined>> {
    this.#start();
    const taker = deferred<IteratorResult<StreamEvent, undefined>>();
    this.#takers.push(taker);
    this.#pass();
    return taker.promise;
  }

  return(): Promise<IteratorResult<StreamEvent, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends it: whoever waits is told so. */
  close(): void {
    this.#run ??= Promise.resolve();
    this.#stop.abort();
    this.#finish();
  }

  /**
   * The events' data as JSON, up to `[DONE]` or an event `end`. What stands before the first JSON and is none is passed
   * over; after it, it is an error.
   */
  json<T = unknown>(): AsyncIterableIterator<T> {
    let isFirst = true;
    return this.#view((event) => {
      try {
        const value = JSON.parse(event.data) as T;
        isFirst = false;
        return { value };
      } catch (error) {
        if (isFirst || !event.data) return undefined;
        throw error;
      }
    });
  }

  /**
   * The text that the events add, up to `[DONE]` or an event `end`: of answers in the forms of OpenAI and Anthropic,
   * or what `pick` finds. Events without text are passed over; one that says that the answer failed is an error.
   */
  text(pick: (event: StreamEvent) => string | null | undefined = deltaOf): AsyncIterableIterator<string> {
    return this.#view((event) => {
      const value = pick(event);
      return value ? { value } : undefined;
    });
  }

  /** The events' data as bytes, as Tidewire writes them (data URLs, gzipped where large); texts are passed over. */
  bytes(max?: number): AsyncIterableIterator<Uint8Array> {
    return this.#view(async ({ data }) => {
      const value = await readBinary(data, max);
      return value && { value };
    });
  }

  #view<T>(see: (event: StreamEvent) => { value: T } | undefined | Promise<{ value: T } | undefined>): AsyncIterableIterator<T> {
    const over = { done: true, value: undefined } as const;
    const next = async (): Promise<IteratorResult<T, undefined>> => {
      for (;;) {
        const { done, value: event } = await this.next();
        if (done) return over;
        try {
          if (event.gap) {
            if (!this.#options.ongap) throw new StreamError('gap', `events are lost (${event.gap.reason}): set ongap to go on without them`);
          } else if (isEndEvent({ ...event, event: event.type })) {
            this.close();
            return over;
          } else {
            const seen = await see(event);
            if (seen) return { value: seen.value };
          }
        } catch (error) {
          this.close();
          throw error;
        }
      }
    };
    const view: AsyncIterableIterator<T> = {
      next,
      return: async () => {
        this.close();
        return over;
      },
      [Symbol.asyncIterator]: () => view,
    };
    return view;
  }

  #start(): void {
    this.#run ??= this.#read();
  }

  async #read(): Promise<void> {
    const { signal } = this.#options;
    const abort = () => {
      this.#fail(signal!.reason);
      this.close();
    };
    if (signal?.aborted) return this.#fail(signal.reason);
    const leave = signal && onAbort(signal, abort);
    const hooks = {
      open: (response: Response) => {
        this.response = response;
        this.#opened.resolve(response);
      },
      message: (message: Message) =>
        new Promise<void>((taken) => {
          this.#offer = { event: eventOf(message), taken };
          this.#pass();
        }),
      moved: (cursor: string) => {
        this.lastEventId = cursor;
      },
    };
    try {
      await follow(this.#input, this.#options, hooks, this.#stop.signal);
      this.#finish();
    } catch (error) {
      this.#fail(error);
    } finally {
      leave?.();
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#failure = { error };
    this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    const error = this.#failure ? this.#failure.error : new StreamError('network', 'the stream was over before it opened');
    this.#opened.reject(error);
    this.#pass();
  }

  /** Hands an event to who waits for one. */
  #pass(): void {
    const offer = this.#offer;
    if (this.#isOver) {
      this.#offer = undefined;
      offer?.taken();
      for (const taker of this.#takers.splice(0)) {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure) taker.reject(failure.error);
        else taker.resolve({ done: true, value: undefined });
      }
    } else if (offer && this.#takers.length > 0) {
      this.#offer = undefined;
      this.lastEventId = offer.event.lastEventId;
      this.#takers.shift()!.resolve({ done: false, value: offer.event });
      offer.taken();
    }
  }
}

/** Reads a stream of events; nothing is asked before the first event is. */
export function events(input: Input, options: StreamOptions = {}): EventStream {
  return new EventStream(input, options);
}

function eventOf({ event, data, lastEventId, id, topics }: Message): StreamEvent {
  return { type: event || 'message', data, lastEventId, id, topics, gap: event === GAP ? gapOf(data) : undefined };
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
