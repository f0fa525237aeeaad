/**
 * One subscription through the browser's own EventSource, with what EventSource keeps to itself:
 * since when it is in its state, how often it has reconnected, how long that took, and why the
 * server closed it.
 *
 * EventSource reconnects by itself and sends Last-Event-ID. It gives up for good on any answer that
 * is not a 200 event stream, and does not say which one it was: so we ask once more with `fetch`
 * and look at the status. A passing trouble (a proxy's 502, a server that is stopping) is tried
 * again by us if `persistent` is set.
 */

import { refusal } from './request.js';

/** @typedef {'connecting' | 'open' | 'reconnecting' | 'closed'} Phase */
/** @typedef {import('./event-stream.js').StreamEvent} StreamEvent */
/**
 * Why the connection is closed: by us, because the stream has ended (204), by a refusal, or because
 * the browser gave up on a trouble that has passed meanwhile.
 * @typedef {{ kind: 'local' } | { kind: 'ended' } | { kind: 'passing' }
 *   | { kind: 'refused', status: number, detail: string }} Closure
 */
/**
 * @typedef {object} Options
 * @property {(cursor: string) => string} address the address that starts after `cursor`
 * @property {string} cursor where to start; empty means live
 * @property {Iterable<string>} names event names to listen for; `message` need not be named
 * @property {number} retryMs how long to wait before an own attempt
 * @property {boolean} persistent try again by ourselves after a passing trouble
 * @property {(event: StreamEvent) => void} onEvent
 * @property {() => void} onChange called when the phase has changed
 */

const PASSING_STATUS = new Set([200, 429, 502, 503, 504]);
const QUESTION_TIMEOUT_MS = 10_000;

export class Connection {
  /** @type {Phase} */
  phase = 'connecting';
  /** When the phase began (`performance.now()`). */
  since = performance.now();
  /** When the last event or opening was (`performance.now()`). */
  heardAt = performance.now();
  reconnects = 0;
  /** From loss to reopening, in milliseconds. @type {number | null} */
  lastOutageMs = null;
  /** @type {Closure | null} */
  closure = null;

  /** @type {Options} */
  #options;
  /** @type {EventSource} */
  #source;
  /** @type {Set<string>} */
  #names;
  #cursor;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#cursor = options.cursor;
    this.#names = new Set(['message', ...options.names]);
    this.#source = this.#connect();
  }

  /** As the EventSource says it: 0 connecting, 1 open, 2 closed. */
  get readyState() {
    return this.#source.readyState;
  }

  /** The id of the last event, or where we started. */
  get cursor() {
    return this.#cursor;
  }

  /** Listens for one more event name. @param {string} name */
  listen(name) {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#source.addEventListener(name, this.#receive);
  }

  /** Closes from our side; nothing is handed out any more. */
  close() {
    clearTimeout(this.#timer);
    this.#source.close();
    this.closure ??= { kind: 'local' };
    this.#enter('closed');
  }

  #connect() {
    const source = new EventSource(this.#options.address(this.#cursor));
    source.addEventListener('open', this.#opened);
    source.addEventListener('error', this.#failed);
    for (const name of this.#names) source.addEventListener(name, this.#receive);
    return source;
  }

  /** @param {Event} event */
  #opened = (event) => {
    if (event instanceof MessageEvent) return; // a publisher's event that is named "open"
    if (this.phase === 'reconnecting') {
      this.reconnects += 1;
      this.lastOutageMs = performance.now() - this.since;
    }
    this.heardAt = performance.now();
    this.#enter('open');
  };

  /** @param {Event} event */
  #failed = (event) => {
    if (event instanceof MessageEvent) return; // a publisher's event that is named "error"
    if (this.phase === 'open') this.#enter('reconnecting');
    if (this.#source.readyState === EventSource.CLOSED) void this.#givenUp();
  };

  /** @param {Event} event */
  #receive = (event) => {
    if (!(event instanceof MessageEvent) || this.phase === 'closed') return;
    this.#cursor = event.lastEventId;
    this.heardAt = performance.now();
    // EventSource drops the field `topic`, as all that it does not know.
    this.#options.onEvent({ type: event.type, id: event.lastEventId, data: event.data, topics: [] });
  };

  async #givenUp() {
    const closure = await whyClosed(this.#options.address(this.#cursor));
    if (this.phase === 'closed') return; // closed by us while we asked
    if (closure.kind === 'passing' && this.#options.persistent) {
      this.#timer = setTimeout(() => {
        this.#source = this.#connect();
      }, this.#options.retryMs);
      return;
    }
    this.closure = closure;
    this.#enter('closed');
  }

  /** @param {Phase} phase */
  #enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.since = performance.now();
    this.#options.onChange();
  }
}

/**
 * Asks the server for the same stream and reads no more than its status.
 * @param {string} path
 * @returns {Promise<Closure>}
 */
async function whyClosed(path) {
  const cut = new AbortController();
  const deadline = setTimeout(() => cut.abort(), QUESTION_TIMEOUT_MS);
  try {
    const headers = { Accept: 'text/event-stream' };
    const response = await fetch(path, { headers, cache: 'no-store', signal: cut.signal });
    if (response.status === 204) return { kind: 'ended' };
    if (PASSING_STATUS.has(response.status)) return { kind: 'passing' };
    const { status, detail } = await refusal(response);
    return { kind: 'refused', status, detail };
  } catch {
    return { kind: 'passing' };
  } finally {
    clearTimeout(deadline);
    cut.abort();
  }
}
