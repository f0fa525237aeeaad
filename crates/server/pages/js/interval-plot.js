/**
 * The times between events as a picture, and in words below it.
 */

import { oncePerFrame } from './frame.js';
import { onLanguage, t } from './i18n.js';
import { Intervals, PLACES } from './intervals.js';
import { Plot } from './plot.js';
import { time } from './units.js';

/** A bar more at a time is more than anybody sees. */
const REDRAW_MS = 250;

export class IntervalPlot {
  #plot;
  #intervals = new Intervals();
  #drawSoon = oncePerFrame(() => this.#draw(), REDRAW_MS);

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#plot = new Plot(place, PLACES);
    onLanguage(() => this.#draw());
    this.#draw();
  }

  clear() {
    this.#intervals.clear();
    this.#drawSoon();
  }

  /** @param {number} interval in milliseconds */
  add(interval) {
    this.#intervals.add(interval);
    this.#drawSoon();
  }

  #draw() {
    const { numbers } = this.#intervals;
    const words = numbers
      ? t('intervals.text', {
          count: numbers.count,
          median: time(numbers.median),
          longest: time(numbers.longest),
          last: time(numbers.last),
        })
      : t('intervals.none');
    this.#plot.draw(this.#intervals.shares, words);
  }
}
