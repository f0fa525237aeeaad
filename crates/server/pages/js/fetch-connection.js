/**
 * One subscription by `fetch`: what EventSource does, and what it cannot: any method, a body, own
 * headers, the response's status and headers, and an abort that closes the connection at once.
 *
 * After a cut it connects again by itself and says where it was; not after `close()`, not after the
 * end of the body (only an end finishes one), not after a refusal. A passing trouble (a proxy's 502,
 * a server that is stopping, no network) is tried again, with growing waits.
 */

import { waitBefore } from './backoff.js';
import { EventStreamParser } from './event-stream.js';
import { Nap } from './nap.js';
import { refusal, RequestError } from './request.js';

/** @typedef {import('./event-stream.js').StreamEvent} StreamEvent */
/** @typedef {'connecting' | 'open' | 'waiting' | 'reconnecting' | 'closed'} Phase */
/** @typedef {{ path: string, method?: string, headers?: Record<string, string>, body?: string }} Request */
/**
 * @typedef {object} Options
 * @property {(lastEventId: string) => Request} request asked before each attempt; the id is empty until there is one
 * @property {() => number} retryMs how long to wait if the stream does not say
 * @property {(event: StreamEvent) => void} onEvent
 * @property {() => void} onChange called when the phase has changed
 */

const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Streams are answered at once; what says nothing for so long is dead. */
const ANSWER_MS = 15_000;
/** Heartbeats that may be missed before the connection is taken for dead. */
const MISSED_HEARTBEATS = 3;

export class FetchConnection {
  /** @type {Phase} */
  phase = 'connecting';
  /** When the phase began (`performance.now()`). */
  since = performance.now();
  /** When the last byte or opening was (`performance.now()`). */
  heardAt = performance.now();
  /** While waiting: when the next attempt is (`performance.now()`). */
  retryAt = 0;
  reconnects = 0;
  /** From loss to reopening, in milliseconds. @type {number | null} */
  lastOutageMs = null;
  /** The header `Tidewire-Resume` of the last answer. */
  resume = '';
  /** Why the last attempt failed, until one works. @type {RequestError | null} */
  trouble = null;
  /** @type {import('./connection.js').Closure | null} */
  closure = null;
  /** The id of the last event. */
  cursor = '';

  #options;
  /** As the stream said it. @type {number | null} */
  #retryMs = null;
  #failures = 0;
  /** As the last refusal said it (Retry-After). */
  #retryAfterMs = 0;
  /** When the connection was lost. @type {number | null} */
  #lostAt = null;
  #attempt = new AbortController();
  #nap = new Nap();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    void this.#run();
  }

  /** Aborts from our side; nothing is handed out any more. */
  close() {
    if (this.phase !== 'closed') this.#finish({ kind: 'local' });
  }

  /** Where EventSource has to be told a name, every event is handed out here. */
  listen() {}

  async #run() {
    for (;;) {
      const closure = await this.#connect();
      if (this.#isClosed()) return;
      if (closure) {
        this.#finish(closure);
        return;
      }
      if (this.phase === 'open') this.#lostAt = performance.now();
      await this.#wait();
      if (this.#isClosed()) return;
      this.#enter('reconnecting');
    }
  }

  /** A getter that the type checker does not narrow: the phase changes while we wait. */
  #isClosed() {
    return this.phase === 'closed';
  }

  /** One attempt, to its end. @returns {Promise<import('./connection.js').Closure | null>} null: try again */
  async #connect() {
    this.#attempt = new AbortController();
    const { path, ...rest } = this.#options.request(this.cursor);
    const headers = { Accept: 'text/event-stream', ...rest.headers };
    const patience = this.#abortAfter(ANSWER_MS);
    try {
      const { signal } = this.#attempt;
      const answer = fetch(path, { ...rest, headers, signal, cache: 'no-store' });
      const response = await answer.finally(() => clearTimeout(patience));
      if (response.status === 204) return { kind: 'ended' };
      if (!response.ok) return this.#refused(await refusal(response), response.headers);
      const type = response.headers.get('Content-Type') ?? '';
      if (!response.body || !type.startsWith('text/event-stream')) {
        return { kind: 'refused', status: response.status, detail: `Content-Type: ${type}` };
      }
      this.#opened(response);
      return await this.#read(response, response.body.getReader());
    } catch (error) {
      if (error instanceof RangeError) return { kind: 'refused', status: 200, detail: error.message };
      if (this.phase !== 'open') this.trouble = new RequestError(0, '', '');
      return null;
    } finally {
      this.#attempt.abort(); // also a body that we do not want to read
    }
  }

  /** @param {RequestError} problem @param {Headers} headers */
  #refused(problem, headers) {
    const { status, detail } = problem;
    if (!PASSING_STATUS.has(status)) return /** @type {const} */ ({ kind: 'refused', status, detail });
    this.trouble = problem;
    this.#retryAfterMs = 1_000 * (Number(headers.get('Retry-After')) || 0);
    return null;
  }

  /** @param {Response} response */
  #opened(response) {
    if (this.#lostAt !== null) {
      this.reconnects += 1;
      this.lastOutageMs = performance.now() - this.#lostAt;
      this.#lostAt = null;
    }
    this.resume = response.headers.get('Tidewire-Resume') ?? '';
    this.trouble = null;
    this.#failures = 0;
    this.heardAt = performance.now();
    this.#enter('open');
  }

  /**
   * @param {Response} response
   * @param {ReadableStreamDefaultReader<Uint8Array>} reader
   * @returns {Promise<import('./connection.js').Closure>}
   */
  async #read(response, reader) {
    const parser = new EventStreamParser({
      onEvent: (event) => {
        if (this.#isClosed()) return;
        this.cursor = event.id;
        this.#handOut(event);
      },
      onRetry: (milliseconds) => {
        this.#retryMs = milliseconds;
      },
    }, this.cursor);
    const heartbeatMs = 1_000 * Number(response.headers.get('Tidewire-Heartbeat'));
    for (;;) {
      const silence = this.#abortAfter(heartbeatMs * MISSED_HEARTBEATS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return { kind: 'ended' };
      this.heardAt = performance.now();
      parser.push(value);
      this.cursor = parser.lastEventId;
    }
  }

  /** What fails in the page is no failure of the connection. @param {StreamEvent} event */
  #handOut(event) {
    try {
      this.#options.onEvent(event);
    } catch (error) {
      reportError(error);
    }
  }

  /** A connection that breaks without a word is only seen by its silence. @param {number} silenceMs 0: never */
  #abortAfter(silenceMs) {
    if (!(silenceMs > 0)) return undefined;
    const attempt = this.#attempt;
    return setTimeout(() => attempt.abort(), silenceMs);
  }

  async #wait() {
    this.#failures += 1;
    const retryMs = this.#retryMs ?? this.#options.retryMs();
    const waitMs = waitBefore(this.#failures, retryMs, Math.random(), this.#retryAfterMs);
    this.#retryAfterMs = 0;
    this.retryAt = performance.now() + waitMs;
    this.#enter('waiting');
    await this.#nap.sleep(waitMs);
  }

  /** @param {import('./connection.js').Closure} closure */
  #finish(closure) {
    this.closure = closure;
    this.#enter('closed');
    this.#attempt.abort();
    this.#nap.wake();
  }

  /** @param {Phase} phase */
  #enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.since = performance.now();
    this.#options.onChange();
  }
}
