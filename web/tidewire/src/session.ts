/**
 * One subscription: attempts one after the other, never two at a time, until its stream ends, a trouble is final, or
 * the caller stops it. What it reads is bounded by the parser, and it reads no further than its caller has taken.
 */

import { isEventStream } from './content-type.js';
import { StreamError } from './error.js';
import { gapOf } from './gap.js';
import type { StreamOptions } from './options.js';
import { Page } from './page.js';
import { type Message, Parser } from './parser.js';
import { STABLE_MS, floorOf, passes, retryAfter, waitBefore } from './policy.js';
import { CONTENT_TYPE, DONE, END, GAP, RETRY_AFTER, TIDEWIRE_HEARTBEAT } from './protocol.js';
import { type Input, Question } from './request.js';
import { onAbort, until } from './signal.js';

/** What an entry point makes of a subscription. */
export interface Hooks {
  /** Accepts or refuses (by throwing) an answer, instead of the check of its type. */
  accept?: ((response: Response) => unknown) | undefined;
  open?: ((response: Response) => unknown) | undefined;
  /** As `EventSource` has it, a stream has status 200; else any other of success too, but one that says that there is no whole body. */
  only200?: boolean;
  /** A promise is waited for before anything else is read. */
  message(message: Message): unknown;
  /** The cursor has moved without an event. */
  moved?: ((cursor: string) => void) | undefined;
  /** The text of an error, if a body without an event is one. */
  failureOf?: ((body: string) => string | undefined) | undefined;
  /** The stream has ended; to throw here makes a failed attempt of it. */
  close?: (() => unknown) | undefined;
  /**
   * An attempt failed; with `final`, for good. It may return that there is to be another all the same, or how long to
   * wait before it, and it may throw, which ends the subscription.
   */
  failed?: ((error: unknown, final: boolean) => number | boolean | null | undefined | void) | undefined;
}

/** Heartbeats that may be missed before a connection is taken for dead; fewer once there is reason to doubt it. */
const MISSED = 3;
const MISSED_IN_DOUBT = 1.5;
/** For an answer to come. */
const OPEN_MS = 60_000;
/** Of a refusal's body. */
const EXCERPT_BYTES = 16 << 10;
const EXCERPT_MS = 5000;

/** By this an attempt ends whose page is away. */
const AWAY = {};

/** What servers send last: OpenAI's `[DONE]`, or an event of this name. */
export function isEndEvent({ event, data }: Message): boolean {
  return event === END || data.trim() === DONE;
}

/** Resolves when the stream has ended, or when it was stopped; rejects with what is final. */
export async function follow(input: Input, options: StreamOptions, hooks: Hooks, stop: AbortSignal): Promise<void> {
  const { end = isEndEvent } = options;
  const { max = 30_000, attempts = Infinity, initial = 1000, random = Math.random } = options.retry ?? {};
  const question = new Question(input, options);
  let cursor = options.lastEventId ?? '';
  let retryMs = initial;
  let failures = 0;
  let attempt = new AbortController();
  /** Looks whether the connection is dead. */
  let look: ((missed: number) => void) | undefined;
  /** The last attempt opened a stream, and brought something. */
  let isOpened = false;
  let openedAt = 0;
  let moved = false;
  /** It brought a new event, and a `retry` after the last one. */
  let hasEvent = false;
  let endsWithRetry = false;
  /** Code of the caller's runs: what it throws is no trouble of the connection. */
  let isCallers = false;
  /** The attempt before had a 401: headers were asked for anew. */
  let isRenewed = false;

  const page = new Page(
    options.openWhenHidden !== false,
    () => {
      const mayRest = question.isRepeatable(cursor);
      if (mayRest) attempt.abort(AWAY);
      return mayRest;
    },
    () => {
      failures = 0;
      look?.(MISSED_IN_DOUBT);
    },
  );
  const leave = onAbort(stop, () => attempt.abort(stop.reason));

  try {
    while (!stop.aborted) {
      attempt = new AbortController();
      let error: unknown;
      let wait: number | undefined;
      isOpened = moved = hasEvent = endsWithRetry = isCallers = false;
      try {
        if (await once(attempt.signal)) {
          if (!stop.aborted) hooks.close?.();
          return;
        }
        error = new StreamError('cut', 'the body ended, and the stream may go on');
        // Its server closed it in good order: whether anything is left it can say at once. Without an event, or after a
        // `retry`, it may be a cut, which an HTTP/1.0 hop passes on as an end.
        if (end && hasEvent && !endsWithRetry && question.goesOn(cursor)) wait = 0;
      } catch (failure) {
        error = failure;
      }
      if (stop.aborted) return;
      let floor = floorOf(retryMs);
      if (error === AWAY) {
        wait = 0;
      } else {
        if (moved || (isOpened && performance.now() - openedAt >= STABLE_MS)) failures = 0;
        failures += 1;
        const { response, code } = error instanceof StreamError ? error : ({} as Partial<StreamError>);
        const mayRenew: boolean = response?.status === 401 && typeof options.headers === 'function' && !isRenewed;
        const again = failures <= attempts && !isCallers && question.canAsk && (mayRenew || isWorthAnother(code, response?.status ?? 0));
        if (mayRenew) wait = 0;
        isRenewed = mayRenew;
        const retryAfterMs = retryAfter(response?.headers.get(RETRY_AFTER), Date.now());
        if (response) (error as StreamError).body = await excerpt(response, stop);
        attempt.abort();
        if (stop.aborted) return;
        const answer = hooks.failed?.(error, !again);
        if (!again && answer !== true && typeof answer !== 'number') throw error;
        wait = typeof answer === 'number' ? answer : (wait ?? waitBefore(failures, retryMs, retryAfterMs, max, random()));
        floor = Math.max(floor, retryAfterMs);
        options.onretry?.(error, wait);
      }
      await page.nap(wait, floor, stop);
    }
  } finally {
    attempt.abort();
    leave();
    page.leave();
  }
  return;

  /** Hands a message out; what it returns is waited for. */
  function give(message: Message): unknown {
    if (message.event === GAP) options.ongap?.(gapOf(message.data));
    return hooks.message(message);
  }

  /** `status` counts if the server refused. */
  function isWorthAnother(code: StreamError['code'] | undefined, status: number): boolean {
    const isRepeatable = question.isRepeatable(cursor);
    if (code === 'type' || code === 'request' || code === 'event') return false;
    if (code === 'status') return passes(status, isRepeatable);
    // A lost connection, or headers that could not be made. Without an answer nobody knows what became of the request.
    return isRepeatable || (!isOpened && code !== 'network');
  }

  /** One attempt, to its end: true if it is the end of the stream. */
  async function once(signal: AbortSignal): Promise<boolean> {
    const { openTimeout = OPEN_MS } = options;
    // Nobody knows what became of the request: this is no silence, but no answer.
    const late = () => attempt.abort(new StreamError('network', `no answer within ${openTimeout / 1000} s`));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const sent = () => {
      if (openTimeout > 0 && !signal.aborted) timer = setTimeout(late, openTimeout);
    };
    const response = await until(signal, question.ask(cursor, signal, sent)).finally(() => clearTimeout(timer));
    const { status, headers, body } = response;
    if (status === 204) return true;
    isCallers = true;
    if (hooks.accept) await until(signal, hooks.accept(response));
    isCallers = false;
    if (!response.ok || (hooks.only200 ? status !== 200 : status === 205 || status === 206)) {
      const what = status || 'with what no script may see: leave `mode` and `redirect` unset';
      throw new StreamError('status', `the server answered ${what}`, response);
    }
    const type = headers.get(CONTENT_TYPE);
    const wrong =
      !hooks.accept && !isEventStream(type)
        ? `Content-Type is ${type ?? 'missing'}`
        : typeof body?.getReader !== 'function'
          ? '`fetch` gives no body that can be read as it comes: set the option `fetch` to one with web streams'
          : body.locked && 'its body is read by something else (`onopen`)';
    if (wrong) throw new StreamError('type', `no event stream: ${wrong}`, response);
    question.learn(response);
    isOpened = isCallers = true;
    isRenewed = false;
    openedAt = performance.now();
    options.onconnect?.(response);
    if (hooks.open) await until(signal, hooks.open(response));
    if (question.isBare) {
      const lost = gap({ reason: 'cors', requested: cursor, resumed_after: '' });
      cursor = '';
      await give(lost);
      signal.throwIfAborted();
    }
    return read(response, signal, 1000 * +(headers.get(TIDEWIRE_HEARTBEAT) ?? 0));
  }

  async function read(response: Response, signal: AbortSignal, heartbeatMs: number): Promise<boolean> {
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body!.getReader();
    const decoder = new TextDecoder();
    /** All of the body, as long as it may be bare JSON. */
    let json: string | undefined = hooks.failureOf && '';
    const parser = new Parser(cursor, options.limits);
    const idleMs = options.idleTimeout ?? heartbeatMs * MISSED;
    let heardAt = performance.now();
    let isReading = false;
    let isSilent = true;
    let isEnd = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    look = (missed) => {
      const left = heardAt + (idleMs * missed) / MISSED - performance.now();
      // While the caller is busy, what has come is not heard.
      if (left <= 0 && isReading) attempt.abort(new StreamError('idle', `nothing came for ${((performance.now() - heardAt) / 1000).toFixed(1)} s`));
      clearTimeout(timer);
      if (!signal.aborted) timer = setTimeout(look!, Math.max(Math.min(left, idleMs), idleMs / 10), MISSED);
    };
    // A reader whose source ignores the signal would wait for ever.
    const leave = onAbort(signal, () => void reader.cancel().catch(() => {}));
    try {
      if (idleMs > 0) look(MISSED);
      else look = undefined;
      for (;;) {
        isReading = true;
        isCallers = false;
        const { done, value } = await reader.read().catch((cause: unknown) => {
          throw signal.aborted ? signal.reason : new StreamError('cut', 'the connection broke', undefined, cause);
        });
        isReading = false;
        signal.throwIfAborted();
        heardAt = performance.now();
        if (done) break;
        isSilent = false;
        isCallers = true;
        options.onbytes?.(value.length);
        if (json !== undefined) {
          json += decoder.decode(value, { stream: true });
          if (json.length > EXCERPT_BYTES || !/^\s*([[{]|$)/.test(json)) json = undefined;
        }
        for (const item of parser.read(value)) {
          if ('retry' in item && !('data' in item)) {
            retryMs = item.retry!;
            endsWithRetry = true;
          } else if ('comment' in item) {
            options.oncomment?.(item.comment);
          } else {
            json = undefined;
            const message = 'data' in item ? item : gap({ reason: 'overlong', limit: (item as { overlong: string }).overlong, resumed_after: cursor });
            const isGap = message.event === GAP;
            const isNew = message.id === undefined || message.lastEventId !== cursor;
            moved ||= isNew || isGap;
            hasEvent ||= isNew && !isGap;
            endsWithRetry = false;
            cursor = message.lastEventId;
            const busy = give(message);
            if (busy) await busy;
            signal.throwIfAborted();
            isEnd = !!end && (end === 'eof' ? isEndEvent : end)(message);
          }
        }
        if (cursor !== parser.lastEventId) {
          moved = true;
          cursor = parser.lastEventId;
          hooks.moved?.(cursor);
        }
      }
    } finally {
      look = undefined;
      clearTimeout(timer);
      leave();
    }
    const failure = json && hooks.failureOf?.(json);
    if (failure) throw new StreamError('event', failure, response);
    // A Tidewire can be asked whether anything is left, and says nothing where nothing is.
    return isEnd || question.isWhole(cursor) || (question.isTidewire && (end !== 'eof' || attempts > 0) ? isSilent : end === 'eof');
  }
}

/** A gap that is found here. */
function gap(why: { reason: string; limit?: string; requested?: string; resumed_after: string }): Message {
  return { event: GAP, data: JSON.stringify(why), lastEventId: why.resumed_after };
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
