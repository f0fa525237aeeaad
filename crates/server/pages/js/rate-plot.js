/**
 * Events per second as a picture, and in words below it.
 *
 * Redrawn once a second while the page is seen; a hidden page only counts.
 */

import { onLanguage, t } from './i18n.js';
import { Plot } from './plot.js';
import { Rate, SECONDS } from './rate.js';

const REDRAW_MS = 1_000;

export class RatePlot {
  #plot;
  #rate = new Rate();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#plot = new Plot(place, SECONDS);
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
    const words = sum > 0 ? t('rate.text', { now, most, sum }) : t('rate.none');
    this.#plot.draw(series.map((count) => count / Math.max(most, 1)), words);
  }
}
