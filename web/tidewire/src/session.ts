/**
 * The state of a subscription: a machine without I/O. What happens comes in (heads, bytes, ends, failures, `now`), and
 * `poll` says what to do next; the driver (`follow.ts`) owns the connection and the clock, and decides nothing.
 *
 * Attempts come one after the other, never two at a time, until the stream has ended or a trouble is final.
 */

import type { Action } from './action.js';
import { isEventStream } from './content-type.js';
import { StreamError } from './error.js';
import { Opened, gap, type Place } from './opened.js';
import type { StreamOptions } from './options.js';
import { STABLE_MS, floorOf, passes, retryAfter, waitBefore } from './policy.js';
import { CONTENT_TYPE, RETRY_AFTER } from './protocol.js';
import { type Input, type Page, Question } from './request.js';

/** What an entry point wants otherwise. */
export interface Rules {
  /** It looks at answers itself, instead of the check of their type. */
  accept?: unknown;
  /** As `EventSource` has it, a stream has status 200; else any other of success too, but one that says that there is no whole body. */
  only200?: boolean;
  /** The text of an error, if a body without an event is one. */
  failureOf?: ((body: string) => string | undefined) | undefined;
}

/** For an answer to come. */
const OPEN_MS = 60_000;

export class Session {
  /** `trying`: something of an attempt is under way; `failing`: it failed, which is being told. */
  #state: 'trying' | 'reading' | 'failing' | 'resting' | 'over' = 'trying';
  /** What comes next, before anything that the state says. */
  #next: Action | undefined = { do: 'prepare' };
  /** For what is under way, or a rest. */
  #until = Infinity;
  readonly #question: Question;
  readonly #options: StreamOptions;
  readonly #rules: Rules;
  readonly #place: Place;
  /** It was sent, and has no answer yet. */
  #isAsking = false;
  #response: Response | undefined;
  /** When its head came, by the calendar. */
  #wall = 0;
  #openedAt: number | undefined;
  #opened: Opened | undefined;
  /** Attempts in a row. */
  #failures = 0;
  #error: unknown;
  #mayRetry = false;
  /** Instead of what the policy says. */
  #wait: number | undefined;
  #retryAfterMs = 0;
  /** The attempt before had a 401: headers were asked for anew. */
  #isRenewed = false;
  /** The connection is to rest. */
  #isAway = false;
  /** A rest ends here when there is a reason to hope. */
  #floor = 0;

  constructor(input: Input, options: StreamOptions, rules: Rules) {
    this.#question = new Question(input, options);
    this.#options = options;
    this.#rules = rules;
    this.#place = { cursor: options.lastEventId ?? '', retryMs: options.retry?.initial ?? 1000 };
  }

  /** What to do now. */
  poll(now: number): Action {
    const next = this.#next;
    this.#next = undefined;
    if (next) return next;
    switch (this.#state) {
      case 'reading': {
        const action = this.#opened!.poll(now);
        if (action.do !== 'read' || now < action.until) return action;
        this.failed(this.#opened!.silence(now), now);
        return this.poll(now);
      }
      case 'trying':
        if (now < this.#until) return { do: 'wait', until: this.#until };
        // Nobody knows what became of the request: this is no silence, but no answer.
        this.#lost();
        this.failed(new StreamError('network', `no answer within ${(this.#options.openTimeout ?? OPEN_MS) / 1000} s`), now);
        return this.poll(now);
      case 'resting':
        if (this.#isAway) return { do: 'wait', until: Infinity };
        if (!(now >= this.#until)) return { do: 'wait', until: this.#until };
        this.#state = 'trying';
        this.#until = Infinity;
        this.#opened = this.#openedAt = this.#response = undefined;
        return { do: 'prepare' };
      default:
        return { do: 'done' };
    }
  }

  /** The caller's headers for this attempt are there. */
  prepared(headers: HeadersInit | undefined, page: Page, now: number): void {
    try {
      const { openTimeout = OPEN_MS } = this.#options;
      this.#next = { do: 'send', sent: this.#question.ask(this.#place.cursor, headers, page) };
      this.#isAsking = true;
      if (openTimeout > 0) this.#until = now + openTimeout;
    } catch (error) {
      this.failed(error, now);
    }
  }

  /** The head of the answer is there. `wall` is what the calendar says. */
  head(response: Response, now: number, wall: number): void {
    this.#isAsking = false;
    this.#until = Infinity;
    this.#question.answered(this.#place.cursor);
    this.#response = response;
    this.#wall = wall;
    if (response.status === 204) this.#end();
    else if (this.#rules.accept) this.#next = { do: 'accept', response };
    else this.accepted(now);
  }

  /** The caller does not refuse the answer. */
  accepted(now: number): void {
    const { accept, only200 } = this.#rules;
    const response = this.#response!;
    const { status, headers, body, ok } = response;
    if (!ok || (only200 ? status !== 200 : status === 205 || status === 206)) {
      const what = status || 'with what no script may see: leave `mode` and `redirect` unset';
      return this.failed(new StreamError('status', `the server answered ${what}`, response), now);
    }
    const type = headers.get(CONTENT_TYPE);
    const wrong =
      !accept && !isEventStream(type)
        ? `Content-Type is ${type ?? 'missing'}`
        : typeof body?.getReader !== 'function'
          ? '`fetch` gives no body that can be read as it comes: set the option `fetch` to one with web streams'
          : body.locked && 'its body is read by something else (`onopen`)';
    if (wrong) return this.failed(new StreamError('type', `no event stream: ${wrong}`, response), now);
    this.#question.learn(response);
    this.#isRenewed = false;
    this.#openedAt = now;
    this.#next = { do: 'open', response };
  }

  /** The caller knows that the stream is open. */
  opened(now: number): void {
    const place = this.#place;
    if (this.#question.isBare) {
      this.#next = { do: 'message', message: gap({ reason: 'cors', requested: place.cursor, resumed_after: '' }) };
      place.cursor = '';
    }
    this.#opened = new Opened(this.#response!, place, this.#options, !!this.#rules.failureOf, now);
    this.#state = 'reading';
  }

  bytes(bytes: Uint8Array, now: number): void {
    this.#opened!.bytes(bytes, now);
  }

  /** The message was taken. */
  given(): void {
    if (this.#state === 'reading') this.#opened!.given();
  }

  /** The body ended in good order. */
  ended(now: number): void {
    if (this.#state !== 'reading') return;
    const { end, retry } = this.#options;
    const { json, isEnd, isSilent, hasEvent, endsWithRetry } = this.#opened!;
    const { cursor } = this.#place;
    const question = this.#question;
    const failure = json && this.#rules.failureOf!(json);
    if (failure) return this.failed(new StreamError('event', failure, this.#response), now);
    // A Tidewire can be asked whether anything is left, and says nothing where nothing is.
    const asks = question.isTidewire && (end !== 'eof' || (retry?.attempts ?? 1) > 0);
    if (isEnd || question.isWhole(cursor) || (asks ? isSilent : end === 'eof')) return this.#end();
    this.failed(new StreamError('cut', 'the body ended, and the stream may go on'), now);
    // Its server closed it in good order: whether anything is left it can say at once. Without an event, or after a
    // `retry`, it may be a cut, which an HTTP/1.0 hop passes on as an end.
    if (end !== false && hasEvent && !endsWithRetry && question.goesOn(cursor)) this.#wait = 0;
  }

  /** What is under way failed; `isCallers`: in code of the caller's, so that it is no trouble of the connection. */
  failed(cause: unknown, now: number, isCallers = false): void {
    if (this.#state === 'failing') return;
    const question = this.#question;
    const error = this.#isAsking ? question.unanswered(cause, this.#place.cursor) : cause;
    this.#isAsking = false;
    this.#state = 'failing';
    if (this.#opened?.moved || now - this.#openedAt! >= STABLE_MS) this.#failures = 0;
    this.#failures += 1;
    const { response, code } = error instanceof StreamError ? error : ({} as Partial<StreamError>);
    const mayRenew = response?.status === 401 && typeof this.#options.headers === 'function' && !this.#isRenewed;
    this.#isRenewed = mayRenew;
    this.#wait = mayRenew ? 0 : undefined;
    this.#mayRetry =
      this.#failures <= (this.#options.retry?.attempts ?? Infinity) && !isCallers && question.canAsk && (mayRenew || this.#isPassing(code, response?.status ?? 0));
    this.#retryAfterMs = retryAfter(response?.headers.get(RETRY_AFTER), this.#wall);
    this.#error = error;
    this.#next = response ? { do: 'explain', response } : { do: 'failed', error, final: !this.#mayRetry };
  }

  /** `status` counts if the server refused. */
  #isPassing(code: StreamError['code'] | undefined, status: number): boolean {
    const isRepeatable = this.#question.isRepeatable(this.#place.cursor);
    if (code === 'type' || code === 'request' || code === 'event') return false;
    if (code === 'status') return passes(status, isRepeatable);
    // A lost connection, or headers that could not be made. Without an answer nobody knows what became of the request.
    return isRepeatable || (this.#openedAt === undefined && code !== 'network');
  }

  /** The beginning of a refusal was read. */
  explained(body: string): void {
    const error = this.#error as StreamError;
    error.body = body;
    this.#next = { do: 'failed', error, final: !this.#mayRetry };
  }

  /** The caller knows of the failure, and says whether there is another attempt, or how long to wait before it. */
  answered(answer: number | boolean | null | undefined | void, chance: number, now: number): void {
    const error = this.#error;
    if (!this.#mayRetry && answer !== true && typeof answer !== 'number') {
      this.#next = { do: 'throw', error };
      return;
    }
    const { retryMs } = this.#place;
    const max = this.#options.retry?.max ?? 30_000;
    const wait = typeof answer === 'number' ? answer : (this.#wait ?? waitBefore(this.#failures, retryMs, this.#retryAfterMs, max, chance));
    this.#rest(wait, Math.max(floorOf(retryMs), this.#retryAfterMs), now);
    this.#next = { do: 'retry', error, wait };
  }

  /** The page is hidden or put aside. `false`: what cannot be asked again goes on. */
  away(now: number): boolean {
    const mayRest = this.#question.isRepeatable(this.#place.cursor);
    this.#isAway ||= mayRest;
    if (mayRest && (this.#state === 'trying' || this.#state === 'reading')) {
      this.#lost();
      this.#next = undefined;
      this.#rest(0, floorOf(this.#place.retryMs), now);
    }
    return mayRest;
  }

  /** There is a reason to hope, and to look whether the connection still lives. */
  back(now: number): void {
    this.#isAway = false;
    this.#failures = 0;
    if (this.#state === 'resting') this.#until = Math.min(this.#until, this.#floor);
    const silence = this.#state === 'reading' && this.#opened!.silence(now, 0.5);
    if (silence) this.failed(silence, now);
  }

  #end(): void {
    this.#state = 'over';
    this.#next = { do: 'close' };
  }

  #rest(wait: number, floor: number, now: number): void {
    this.#state = 'resting';
    this.#until = now + wait;
    this.#floor = now + floor;
  }

  /** A request that was sent is given up. */
  #lost(): void {
    if (this.#isAsking) this.#question.lost();
    this.#isAsking = false;
  }
}
