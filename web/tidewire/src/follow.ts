/**
 * The driver of a session: it sends, reads, waits and calls the caller's code as the session says, and tells it what
 * became of that. It reads no further than its caller has taken.
 */

import { StreamError } from './error.js';
import { gapOf } from './gap.js';
import { EXCERPT_BYTES } from './opened.js';
import type { StreamOptions } from './options.js';
import { watchPage } from './page.js';
import type { Message } from './parser.js';
import { GAP } from './protocol.js';
import type { Input } from './request.js';
import { type Rules, Session } from './session.js';
import { onAbort } from './signal.js';

/** What an entry point makes of a subscription. */
export interface Hooks extends Rules {
  /** Accepts or refuses (by throwing) an answer, instead of the check of its type. */
  accept?: ((response: Response) => unknown) | undefined;
  open?: ((response: Response) => unknown) | undefined;
  /** A promise is waited for before anything else is read. */
  message(message: Message): unknown;
  /** The cursor has moved without an event. */
  moved?: ((cursor: string) => void) | undefined;
  /** The stream has ended; to throw here makes a failed attempt of it. */
  close?: (() => unknown) | undefined;
  /**
   * An attempt failed; with `final`, for good. It may return that there is to be another all the same, or how long to
   * wait before it, and it may throw, which ends the subscription.
   */
  failed?: ((error: unknown, final: boolean) => number | boolean | null | undefined | void) | undefined;
}

const EXCERPT_MS = 5000;

/** Resolves when the stream has ended, or when it was stopped; rejects with what is final. */
export async function follow(input: Input, options: StreamOptions, hooks: Hooks, stop: AbortSignal): Promise<void> {
  const { fetch: ask = fetch, headers } = options;
  const session = new Session(input, options, hooks);
  const now = () => performance.now();
  let attempt = new AbortController();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let isReading = false;
  let wake: (() => void) | undefined;

  /** Begins it, and tells the session what becomes of it, unless the attempt is over by then. */
  const begin = <T>(work: () => T | PromiseLike<T>, then: (value: T) => void, isCallers = false) => {
    const { signal } = attempt;
    const told = (tell: () => void) => {
      if (signal.aborted) return;
      tell();
      wake?.();
    };
    new Promise<T>((done) => done(work())).then(
      (value) => told(() => then(value)),
      (error: unknown) => told(() => session.failed(error, now(), isCallers)),
    );
  };
  /** Until then, or until something happens. */
  const wait = async (until: number) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((done) => {
      wake = done;
      if (until < Infinity) timer = setTimeout(done, Math.min(until - now(), 2 ** 31 - 1));
    });
    clearTimeout(timer);
    wake = undefined;
  };
  const read = (body: ReadableStream<Uint8Array>) => {
    if (isReading) return;
    isReading = true;
    reader ??= body.getReader();
    begin(
      () =>
        reader!.read().catch((cause: unknown) => {
          throw new StreamError('cut', 'the connection broke', undefined, cause);
        }),
      ({ done, value }) => {
        isReading = false;
        if (done) session.ended(now());
        else session.bytes(value, now());
      },
    );
  };
  const drop = () => {
    attempt.abort();
    // A reader whose source ignores the signal would wait for ever.
    reader?.cancel().catch(() => {});
    reader = undefined;
    isReading = false;
  };

  if (stop.aborted) return;
  const leavePage = watchPage(
    options.openWhenHidden !== false,
    () => {
      if (session.away(now())) drop();
      wake?.();
    },
    () => {
      session.back(now());
      wake?.();
    },
  );
  const leave = onAbort(stop, () => {
    drop();
    wake?.();
  });
  try {
    for (;;) {
      const action = session.poll(now());
      if (stop.aborted && action.do !== 'throw') return;
      switch (action.do) {
        case 'prepare':
          attempt = new AbortController();
          begin(
            () => (typeof headers === 'function' ? headers() : headers),
            (own) => session.prepared(own, globalThis, now()),
          );
          break;
        case 'send':
          begin(
            () => ask(action.sent.input, { ...action.sent.init, signal: attempt.signal }),
            (response) => session.head(response, now(), Date.now()),
          );
          break;
        case 'accept':
          begin(() => hooks.accept!(action.response), () => session.accepted(now()), true);
          break;
        case 'open':
          begin(
            () => {
              options.onconnect?.(action.response);
              return hooks.open?.(action.response);
            },
            () => session.opened(now()),
            true,
          );
          break;
        case 'read':
        case 'wait':
          if (action.do === 'read') read(action.response.body!);
          await wait(action.until);
          break;
        case 'bytes':
        case 'comment':
        case 'moved':
        case 'message':
          try {
            if (action.do === 'bytes') options.onbytes?.(action.count);
            else if (action.do === 'comment') options.oncomment?.(action.text);
            else if (action.do === 'moved') hooks.moved?.(action.cursor);
            else {
              const { message } = action;
              if (message.event === GAP) options.ongap?.(gapOf(message.data));
              const busy = hooks.message(message);
              if (busy) await busy;
              session.given();
            }
          } catch (error) {
            session.failed(error, now(), true);
          }
          break;
        case 'explain':
          session.explained(await excerpt(action.response, stop));
          break;
        case 'failed':
          drop();
          session.answered(hooks.failed?.(action.error, action.final), (options.retry?.random ?? Math.random)(), now());
          break;
        case 'retry':
          options.onretry?.(action.error, action.wait);
          break;
        case 'close':
          try {
            hooks.close?.();
          } catch (error) {
            session.failed(error, now());
          }
          break;
        case 'throw':
          throw action.error;
        case 'done':
          return;
      }
    }
  } finally {
    drop();
    leave();
    leavePage();
  }
}
/** The beginning of a body that says why. */
async function excerpt({ body, bodyUsed }: Response, stop: AbortSignal): Promise<string> {
  if (!body?.getReader || bodyUsed || body.locked) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const enough = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(enough, EXCERPT_MS);
  const leave = onAbort(stop, enough);
  let text = '';
  try {
    for (let size = 0; size < EXCERPT_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // What there is has to do.
  } finally {
    clearTimeout(timer);
    leave();
    enough();
  }
  return text.slice(0, EXCERPT_BYTES);
}
