/**
 * The items of the stream that is shown: the last LIMIT, as the inspector keeps them. Data only.
 */

/** @template T */
export class ItemLog {
  #limit;
  /** Oldest first. @type {T[]} */
  #kept = [];
  /** How many have come. */
  total = 0;

  /** @param {number} limit */
  constructor(limit) {
    this.#limit = limit;
  }

  /** @param {T[]} items oldest first @param {number} lost how many before them were not told */
  add(items, lost) {
    this.total += lost + items.length;
    this.#kept.push(...items);
    // Twice the limit, so that it is cut seldom.
    if (this.#kept.length > 2 * this.#limit) this.#kept = this.#kept.slice(-this.#limit);
  }

  clear() {
    this.#kept = [];
    this.total = 0;
  }

  /** Those that are kept, oldest first. */
  get kept() {
    return this.#kept.slice(-this.#limit);
  }

  /** How many are no longer kept. */
  get gone() {
    return this.total - Math.min(this.#kept.length, this.#limit);
  }

  /** The number, in this log, of the first that is kept. */
  get first() {
    return this.gone + 1;
  }

  /** Those after the first `count` that came, oldest first. @param {number} count */
  after(count) {
    const kept = this.kept;
    return kept.slice(Math.max(count - this.gone, 0));
  }
}
