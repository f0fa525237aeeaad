/**
 * A stream as the page shows it: the phase it is in and since when, what has come, and what became of its connections.
 * Who reads it (`client-stream.js`, `browser-stream.js`) tells; who draws it looks.
 */

import { GAP_EVENT, parseGap } from './gap.js';
import { Journal } from './journal.js';

/** @typedef {'connecting' | 'open' | 'waiting' | 'reconnecting' | 'closed'} Phase */
/** @typedef {{ type: string, id: string, data: string, topics: string[] }} StreamEvent */
/**
 * Why a stream is closed: by us, because it has ended, by a refusal, or because the browser gave up on a trouble that
 * has passed meanwhile.
 * @typedef {{ kind: 'local' } | { kind: 'ended' } | { kind: 'passing' }
 *   | { kind: 'refused', status: number, detail: string }} Closure
 */
/**
 * @typedef {object} Handlers
 * @property {(event: StreamEvent) => void} onEvent
 * @property {() => void} onChange called when the phase has changed
 */

export class Watched {
  /** @type {Phase} */
  phase = 'connecting';
  /** When the phase began (`performance.now()`). */
  since = performance.now();
  /** When the last event or opening was (`performance.now()`). */
  heardAt = performance.now();
  /** While waiting: when the next attempt is (`performance.now()`). */
  retryAt = 0;
  reconnects = 0;
  /** From loss to reopening, in milliseconds. @type {number | null} */
  lastOutageMs = null;
  /** @type {Closure | null} */
  closure = null;
  /** Bytes of the stream; null where nobody tells. @type {number | null} */
  bytes = null;
  /** How often the server said that events are gone. */
  gaps = 0;
  /** Why there is no connection, until there is one. @type {import('./journal.js').Cause | null} */
  cause = null;
  journal = new Journal();

  #handlers;
  /** When the connection was lost. @type {number | null} */
  #lostAt = null;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** A getter that the type checker does not narrow: the phase changes while somebody waits. */
  get isClosed() {
    return this.phase === 'closed';
  }

  /** @param {number | null} attempt @param {string} resume the header `Tidewire-Resume` */
  opened(attempt, resume) {
    const outageMs = this.#lostAt === null ? null : performance.now() - this.#lostAt;
    if (outageMs !== null) {
      this.reconnects += 1;
      this.lastOutageMs = outageMs;
      this.#lostAt = null;
    }
    this.cause = null;
    this.heardAt = performance.now();
    this.journal.add({ kind: 'open', attempt, resume, outageMs });
    this.enter('open');
  }

  /**
   * The connection is lost, or an attempt has failed.
   * @param {number | null} attempt
   * @param {import('./journal.js').Cause} cause
   * @param {number | null} waitMs until the next attempt; null: the browser knows
   */
  lost(attempt, cause, waitMs) {
    const kind = this.phase === 'open' ? 'lost' : 'failed';
    // A body that ended in good order is no loss: whether there is more is asked at once.
    if (kind === 'lost' && waitMs !== 0) this.#lostAt = performance.now();
    this.cause = cause;
    this.journal.add({ kind, attempt, cause, waitMs });
    this.retryAt = performance.now() + (waitMs ?? 0);
    this.enter(waitMs === null ? 'reconnecting' : 'waiting');
  }

  /** What fails in the page is no failure of the stream. @param {StreamEvent} event */
  came(event) {
    this.heardAt = performance.now();
    if (event.type === GAP_EVENT) {
      this.gaps += 1;
      this.journal.add({ kind: 'gap', gap: parseGap(event.data) });
    }
    try {
      this.#handlers.onEvent(event);
    } catch (error) {
      reportError(error);
    }
  }

  /** @param {Closure} closure */
  finish(closure) {
    if (this.isClosed) return;
    this.closure = closure;
    this.cause = null;
    this.journal.add({ kind: 'over', closure });
    this.enter('closed');
  }

  /** @param {Phase} phase */
  enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.since = performance.now();
    this.#handlers.onChange();
  }
}
