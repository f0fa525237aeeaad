/**
 * What became of a stream's connections, in order: opened, lost, tried again, ended. Data only.
 *
 * Bound: the last LIMIT entries.
 */

export const LIMIT = 50;

/** Why an attempt failed: a code of the client's `StreamError`, or `browser`, which does not say it. */
/** @typedef {{ code: string, status?: number, message: string }} Cause */
/**
 * @typedef {{ kind: 'open', attempt: number | null, resume: string, outageMs: number | null }
 *   | { kind: 'lost' | 'failed', attempt: number | null, cause: Cause, waitMs: number | null }
 *   | { kind: 'gap', gap: import('./gap.js').Gap }
 *   | { kind: 'over', closure: import('./watched.js').Closure }} News
 */
/** @typedef {News & { number: number, time: Date }} Entry */

export class Journal {
  /** How many there have been. */
  total = 0;
  /** Oldest first. @type {Entry[]} */
  entries = [];

  /**
   * @param {News} news
   * @param {Date} [time]
   */
  add(news, time = new Date()) {
    this.total += 1;
    this.entries.push({ ...news, number: this.total, time });
    if (this.entries.length > LIMIT) this.entries.shift();
  }
}
