/**
 * How fast an answer came: tokens by time, from its first one on. Time is an argument.
 *
 * Bound: PLACES numbers. When an answer takes longer than they can hold, two become one.
 */

export const PLACES = 60;
const FINEST_MS = 250;

export class Pace {
  tokens = 0;
  /** How much time a place stands for. */
  widthMs = FINEST_MS;
  /** @type {number | null} */
  #first = null;
  #last = 0;
  /** @type {number[]} */
  #counts = [];

  /** @param {number} now in milliseconds, never going back */
  add(now) {
    this.#first ??= now;
    this.#last = now;
    this.tokens += 1;
    let place = Math.floor((now - this.#first) / this.widthMs);
    while (place >= PLACES) {
      this.widthMs *= 2;
      const counts = this.#counts;
      this.#counts = counts.flatMap((count, index) => (index % 2 === 0 ? [count + (counts[index + 1] ?? 0)] : []));
      place = Math.floor((now - this.#first) / this.widthMs);
    }
    while (this.#counts.length <= place) this.#counts.push(0);
    this.#counts[place] += 1;
  }

  /** Tokens a second, from the first token on. @returns {number[]} */
  get series() {
    return this.#counts.map((count) => (count * 1000) / this.widthMs);
  }

  /** Tokens a second in all; null if they are too few to say. */
  get mean() {
    const took = this.#last - (this.#first ?? 0);
    return this.tokens > 1 && took > 0 ? ((this.tokens - 1) * 1000) / took : null;
  }
}
