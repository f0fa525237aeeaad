/**
 * One stream, read by the browser's own EventSource, for comparison: it comes again by itself, tells no topics and no
 * bytes, and hands out named events only to who listens for the name.
 *
 * It gives up for good on any answer that is not a 200 event stream, and does not say which one it was: so we ask once
 * more with `fetch` and look at the status.
 */

import { refusal } from './request.js';
import { Watched } from './watched.js';

/**
 * @typedef {object} Options
 * @property {(cursor: string) => string} address the address that starts after `cursor`
 * @property {string} cursor where to start; empty means live
 * @property {Iterable<string>} names event names to listen for; `message` need not be named
 */

const PASSING_STATUS = new Set([200, 429, 502, 503, 504]);
const QUESTION_TIMEOUT_MS = 10_000;
/** It says no more than that. @type {import('./journal.js').Cause} */
const SOMETHING = { code: 'browser', message: '' };

export class BrowserStream extends Watched {
  /** The id of the last event, or where we started. */
  cursor;

  #address;
  #source;
  /** @type {Set<string>} */
  #names;

  /** @param {Options & import('./watched.js').Handlers} options */
  constructor({ address, cursor, names, onEvent, onChange }) {
    super({ onEvent, onChange });
    this.cursor = cursor;
    this.#address = address;
    this.#names = new Set(['message', ...names]);
    this.#source = new EventSource(address(cursor));
    this.#source.addEventListener('open', this.#opened);
    this.#source.addEventListener('error', this.#failed);
    for (const name of this.#names) this.#source.addEventListener(name, this.#receive);
  }

  /** As the EventSource says it: 0 connecting, 1 open, 2 closed. */
  get readyState() {
    return this.#source.readyState;
  }

  /** Listens for one more event name. @param {string} name */
  listen(name) {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#source.addEventListener(name, this.#receive);
  }

  /** Closes from our side; nothing is handed out any more. */
  close() {
    this.#source.close();
    this.finish({ kind: 'local' });
  }

  /** @param {Event} event */
  #opened = (event) => {
    if (event instanceof MessageEvent) return; // a publisher's event that is named "open"
    this.opened(null, '');
  };

  /** @param {Event} event */
  #failed = (event) => {
    if (event instanceof MessageEvent) return; // a publisher's event that is named "error"
    if (this.phase === 'open') this.lost(null, SOMETHING, null);
    if (this.#source.readyState === EventSource.CLOSED) void this.#givenUp();
  };

  /** @param {Event} event */
  #receive = (event) => {
    if (!(event instanceof MessageEvent) || this.isClosed) return;
    this.cursor = event.lastEventId;
    // EventSource drops the field `topic`, as all that it does not know.
    this.came({ type: event.type, id: event.lastEventId, data: event.data, topics: [] });
  };

  async #givenUp() {
    this.finish(await whyClosed(this.#address(this.cursor)));
  }
}

/**
 * Asks the server for the same stream and reads no more than its status.
 * @param {string} path
 * @returns {Promise<import('./watched.js').Closure>}
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
