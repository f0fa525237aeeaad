/**
 * Events per second as a picture, and in words beside it for those who do not see it.
 *
 * Redrawn once a second while the page is seen; a hidden page only counts.
 */

import { onLanguage, t } from './i18n.js';
import { byId } from './notice.js';
import { Rate, SECONDS } from './rate.js';

/** The picture's own units; the style says how large it is. */
const HEIGHT = 40;
const REDRAW_MS = 1_000;

export class RatePlot {
  #path = byId('rate-path');
  #text = byId('rate-text');
  #rate = new Rate();
  #drawn = '';
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  constructor() {
    document.addEventListener('visibilitychange', () => this.#follow());
    onLanguage(() => this.#draw());
    this.#follow();
  }

  add() {
    this.#rate.add(performance.now());
  }

  #follow() {
    clearInterval(this.#timer);
    if (document.hidden) return;
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  #draw() {
    // The second that is not over would look like a drop.
    const series = this.#rate.series(performance.now()).slice(0, -1);
    const most = Math.max(...series);
    const sum = series.reduce((total, count) => total + count, 0);
    const now = series.at(-1) ?? 0;
    this.#text.textContent = sum > 0 ? t('rate.text', { now, most, sum }) : t('rate.none');
    const outline = bars(series, Math.max(most, 1));
    if (outline === this.#drawn) return;
    this.#drawn = outline;
    this.#path.setAttribute('d', outline);
  }
}

/**
 * One bar a second, from the left.
 * @param {number[]} series
 * @param {number} most
 */
function bars(series, most) {
  const first = SECONDS - series.length;
  return series
    .map((count, index) => {
      const height = ((count / most) * HEIGHT).toFixed(1);
      return count > 0 ? `M${first + index} ${HEIGHT}v-${height}h.8v${height}z` : '';
    })
    .join('');
}
