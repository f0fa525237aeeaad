/**
 * Bars over time as the outline of one SVG path. Data only: shares in, text out.
 */

/** The picture's own units; the style says how large it is. */
export const HEIGHT = 40;

/**
 * One bar a place, one unit wide.
 * @param {number[]} shares of the full height, 0 (no bar) to 1
 * @param {number} [first] the place of the first
 */
export function outline(shares, first = 0) {
  return shares
    .map((share, index) => {
      const height = (share * HEIGHT).toFixed(1);
      return share > 0 ? `M${first + index} ${HEIGHT}v-${height}h.8v${height}z` : '';
    })
    .join('');
}
