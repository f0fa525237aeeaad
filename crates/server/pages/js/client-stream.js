/**
 * One stream, read by our own client, the npm package `tidewire`: it asks, reads, and comes again by
 * itself. Here is only what the page shows of it.
 */

import { StreamError, events } from './client.js';
import { problemOf, RequestError } from './request.js';
import { Watched } from './watched.js';

/**
 * What is read, and for whom.
 * @typedef {object} Options
 * @property {string} path
 * @property {string} [method]
 * @property {string} [body]
 * @property {() => Record<string, string>} [headers] asked before each attempt
 * @property {string} [lastEventId] where to go on
 * @property {boolean} [prime] see the client's options
 * @property {boolean} [openWhenHidden] see the client's options
 * @property {() => number} retryMs how long to wait if the stream does not say
 */

/** Streams are answered at once; what says nothing for so long is dead. */
const ANSWER_MS = 15_000;

export class ClientStream extends Watched {
  /** The header `Tidewire-Resume` of the last answer. */
  resume = '';
  /** How often the server was asked. */
  attempts = 0;
  /** Why the last attempt failed, until one works. @type {RequestError | null} */
  trouble = null;

  /** @type {import('./client.js').EventStream} */
  #stream;

  /** @param {Options & import('./watched.js').Handlers} options */
  constructor({ path, headers = () => ({}), retryMs, onEvent, onChange, ...rest }) {
    super({ onEvent, onChange });
    this.bytes = 0;
    this.#stream = events(path, {
      ...rest,
      // A subscription may be asked for as often as we like, by POST too.
      repeat: true,
      openTimeout: ANSWER_MS,
      retry: { initial: retryMs() },
      headers: () => {
        this.attempts += 1;
        if (this.attempts > 1) this.enter('reconnecting');
        return headers();
      },
      onconnect: (response) => {
        this.resume = response.headers.get('Tidewire-Resume') ?? '';
        this.trouble = null;
        this.opened(this.attempts, this.resume);
      },
      onbytes: (count) => {
        this.bytes = (this.bytes ?? 0) + count;
      },
      onretry: (error, waitMs) => {
        if (this.phase !== 'open') this.trouble = requestError(error);
        this.lost(this.attempts, causeOf(error), waitMs);
      },
    });
    void this.#read();
  }

  /** The id that the next attempt says. */
  get cursor() {
    return this.#stream.lastEventId;
  }

  /** Aborts from our side; nothing is handed out any more. */
  close() {
    this.finish({ kind: 'local' });
    this.#stream.close();
  }

  /** Where EventSource has to be told a name, every event is handed out here. */
  listen() {}

  async #read() {
    try {
      for await (const { type, lastEventId, data, topics = [] } of this.#stream) {
        if (this.isClosed) return;
        this.came({ type, id: lastEventId, data, topics });
      }
      this.finish({ kind: 'ended' });
    } catch (error) {
      const { status, detail } = requestError(error);
      this.finish({ kind: 'refused', status, detail });
    }
  }
}

/** @param {unknown} error @returns {import('./journal.js').Cause} */
function causeOf(error) {
  if (!(error instanceof StreamError)) return { code: 'other', message: String(error) };
  const { code, status, message } = error;
  // What the client calls a cut is one of two things, and only one of them breaks.
  return { code: code === 'cut' && error.cause === undefined ? 'over' : code, status, message };
}

/** @param {unknown} error */
function requestError(error) {
  if (!(error instanceof StreamError)) return new RequestError(0, '', String(error));
  const { code, response, body, message } = error;
  if (code === 'status' && response) return problemOf(response, body);
  return new RequestError(response?.status ?? 0, '', message);
}
