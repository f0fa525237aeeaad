/**
 * The times between the events of a stream, as numbers and as bars. Data only.
 *
 * Bound: the last PLACES.
 */

export const PLACES = 120;
/** So high is a bar at least: no time at all is a bar too. */
const LEAST = 0.0125;

export class Intervals {
  /** @type {number[]} */
  #last = [];

  /** @param {number} interval in milliseconds */
  add(interval) {
    this.#last.push(interval);
    if (this.#last.length > PLACES) this.#last.shift();
  }

  clear() {
    this.#last = [];
  }

  /** Null if there is none. */
  get numbers() {
    const last = this.#last.at(-1);
    if (last === undefined) return null;
    const sorted = this.#last.toSorted((a, b) => a - b);
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    return { count: sorted.length, median, longest: sorted[sorted.length - 1], last };
  }

  /**
   * Shares of the longest, the newest last. The scale is logarithmic, as intervals are: tokens come within milliseconds,
   * heartbeats within minutes.
   */
  get shares() {
    const most = Math.log1p(Math.max(...this.#last, 1));
    return this.#last.map((interval) => Math.max(Math.log1p(interval) / most, LEAST));
  }
}
