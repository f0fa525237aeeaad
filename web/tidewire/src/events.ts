/**
 * A stream as an async iterator. It reads no further than it is asked: who is slow slows down the server, and nothing
 * piles up here.
 */

import { Answer, failureOfBody } from './answer.js';
import { readBinary } from './binary.js';
import { StreamError } from './error.js';
import { GAP, gapOf } from './gap.js';
import type { Gap } from './gap.js';
import type { StreamOptions } from './options.js';
import type { Message } from './parser.js';
import type { Input } from './request.js';
import { follow } from './follow.js';
import { isEndEvent } from './opened.js';
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

/** So many events may come before the first one of an answer; a stream without any is none. */
const PREFACE = 16;

/** What an event is of an answer. */
interface Piece {
  text?: string | undefined;
  error?: unknown;
}

/** A stream, read once: by iterating it, or one of its views. */
export class EventStream implements AsyncIterableIterator<StreamEvent> {
  /** Of the newest answer. */
  response: Response | undefined;
  /** The id to resume after. */
  lastEventId: string;
  /** Set when `text()` is over: the answer ended before its last word, which its provider always sends. */
  truncated = false;

  readonly #input: Input;
  readonly #options: StreamOptions;
  readonly #answer = new Answer();
  readonly #pieces = new WeakMap<StreamEvent, Piece>();
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
   * The text that the events add, up to the answer's last word: of answers in the forms of OpenAI, Anthropic, Gemini, Cohere,
   * the AI SDK and AG-UI, or what `pick` finds. Events without text are passed over; one that says that the answer failed is
   * an error, and so it is if none of these forms came. Whether the last word was missing, `truncated` says.
   * @param options `whole`: an answer without its last word is an error
   */
  text(pick?: (event: StreamEvent) => string | null | undefined, { whole = false } = {}): AsyncIterableIterator<string> {
    const answer = this.#answer;
    let isRead = false;
    return this.#view(
      (event) => {
        isRead = true;
        const piece = this.#pieces.get(event) ?? this.#see(event);
        if (piece.error && !pick) throw piece.error;
        const value = pick ? pick(event) : piece.text;
        return value ? { value } : undefined;
      },
      () => answer.isOver,
      (isEnd) => {
        this.truncated = !isEnd && answer.isTruncated;
        if (whole && this.truncated) throw new StreamError('cut', 'the answer ended before its last word');
        if (isRead && !pick && !answer.dialect) throw new StreamError('text', 'events came, but no text is known in any: say where it is (`pick`)');
        return pick ? '' : answer.rest();
      },
    );
  }

  /** The events' data as bytes, as Tidewire writes them (data URLs, gzipped where large); texts are passed over. */
  bytes(max?: number): AsyncIterableIterator<Uint8Array> {
    return this.#view(async ({ data }) => {
      const value = await readBinary(data, max);
      return value && { value };
    });
  }

  /**
   * @param isOver nothing of interest follows the event that was seen last
   * @param end told whether the stream said that it ended; it may throw, or have a last value
   */
  #view<T>(
    see: (event: StreamEvent) => { value: T } | undefined | Promise<{ value: T } | undefined>,
    isOver = () => false,
    end: (isEnd: boolean) => T | '' | undefined = () => undefined,
  ): AsyncIterableIterator<T> {
    const over = { done: true, value: undefined } as const;
    let isDone = false;
    const next = async (): Promise<IteratorResult<T, undefined>> => {
      while (!isDone) {
        const { done, value: event } = isOver() ? ({ done: true } as const) : await this.next();
        const isEnd = !done && isEndEvent({ ...event, event: event.type });
        try {
          if (done || isEnd) {
            isDone = true;
            this.close();
            const value = end(isEnd);
            if (value) return { value };
          } else if (event.gap) {
            if (!this.#options.ongap) throw new StreamError('gap', `events are lost (${event.gap.reason}): set ongap to go on without them`);
          } else {
            const seen = await see(event);
            if (seen) return { value: seen.value };
          }
        } catch (error) {
          isDone = true;
          this.close();
          throw error;
        }
      }
      return over;
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

  #see({ type, data }: StreamEvent): Piece {
    try {
      return { text: this.#answer.see(type, data) };
    } catch (error) {
      return { error };
    }
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
    const answer = this.#answer;
    let before = 0;
    const end = (message: Message) => isEndEvent(message) || answer.isWhole;
    const hooks = {
      failureOf: failureOfBody,
      open: (response: Response) => {
        this.response = response;
        this.#opened.resolve(response);
      },
      message: (message: Message) =>
        new Promise<void>((taken) => {
          const event = eventOf(message);
          if (answer.dialect || (before += 1) <= PREFACE) this.#pieces.set(event, this.#see(event));
          this.#offer = { event, taken };
          this.#pass();
        }),
      moved: (cursor: string) => {
        this.lastEventId = cursor;
      },
    };
    try {
      await follow(this.#input, { ...this.#options, end: this.#options.end ?? end }, hooks, this.#stop.signal);
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
