/**
 * What came in the stream that is shown: the last LIMIT items or chunks, as the inspector keeps them. Data only. Their
 * numbers begin with 1 and grow; those that the page was not told of in time are missing among them.
 */

/** @template {{ n: number }} T */
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

  /** @param {T[]} items oldest first */
  add(items) {
    this.total = items.at(-1)?.n ?? this.total;
    this.#kept.push(...items);
    // Twice the limit, so that it is cut seldom.
    if (this.#kept.length > 2 * this.#limit) this.#kept = this.#kept.slice(-this.#limit);
  }

  clear() {
    this.#kept = [];
    this.total = 0;
  }

  /** How many are not kept. */
  get gone() {
    return this.total - Math.min(this.#kept.length, this.#limit);
  }

  /** Those kept that came after number `n`, oldest first. @param {number} n */
  after(n) {
    return this.#kept.slice(-this.#limit).filter((item) => item.n > n);
  }
}
