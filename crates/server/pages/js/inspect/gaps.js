/**
 * The gaps between the events of a stream, as numbers and as bars. Data only.
 *
 * Bound: the last PLACES gaps.
 */

export const PLACES = 120;
/** The picture's own units; the style says how large it is. */
export const HEIGHT = 40;

export class Gaps {
  /** @type {number[]} */
  #last = [];

  /** @param {number} gap in milliseconds */
  add(gap) {
    this.#last.push(gap);
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
   * One bar a gap, from the left, the newest last. The scale is logarithmic, as gaps are: tokens come within
   * milliseconds, heartbeats within minutes.
   */
  get bars() {
    const most = Math.log1p(Math.max(...this.#last, 1));
    const first = PLACES - this.#last.length;
    return this.#last
      .map((gap, index) => {
        const height = Math.max((Math.log1p(gap) / most) * HEIGHT, 0.5).toFixed(1);
        return `M${first + index} ${HEIGHT}v-${height}h.8v${height}z`;
      })
      .join('');
  }
}
