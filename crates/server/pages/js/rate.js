/**
 * How many events came in each of the last seconds. Time is an argument.
 *
 * Bound: as many numbers as seconds, however many events come and however long none is looked at.
 */

export const SECONDS = 60;

export class Rate {
  /** Events by second; the place of a second is its number modulo SECONDS. */
  #counts = new Array(SECONDS).fill(0);
  /** The newest second that has a place. */
  #newest = 0;

  /** Counts one event. @param {number} now in milliseconds, never going back */
  add(now) {
    this.#advance(now);
    this.#counts[this.#newest % SECONDS] += 1;
  }

  /**
   * The last seconds, oldest first; the last one is not over yet.
   * @param {number} now in milliseconds
   * @returns {number[]}
   */
  series(now) {
    this.#advance(now);
    const first = this.#newest + 1;
    return this.#counts.map((_, index) => this.#counts[(first + index) % SECONDS]);
  }

  /** Makes the places free of seconds that are over by more than SECONDS. @param {number} now */
  #advance(now) {
    const second = Math.max(Math.floor(now / 1000), this.#newest);
    const gone = Math.min(second - this.#newest, SECONDS);
    for (let step = 1; step <= gone; step += 1) this.#counts[(second - gone + step) % SECONDS] = 0;
    this.#newest = second;
  }
}
