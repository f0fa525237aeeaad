/**
 * The gaps between events as a picture, and in words below it.
 */

import { oncePerFrame } from '../frame.js';
import { onLanguage, t } from '../i18n.js';
import { byId } from '../notice.js';
import { Gaps, HEIGHT, PLACES } from './gaps.js';
import { time } from './units.js';

export class GapPlot {
  #gaps = new Gaps();
  #drawSoon = oncePerFrame(() => this.#draw());

  constructor() {
    byId('gaps').setAttribute('viewBox', `0 0 ${PLACES} ${HEIGHT}`);
    onLanguage(() => this.#draw());
    this.#draw();
  }

  clear() {
    this.#gaps.clear();
    this.#drawSoon();
  }

  /** @param {import('./model.js').Item[]} items */
  add(items) {
    for (const { kind, gap } of items) {
      if (gap !== null && (kind === 'event' || kind === 'line')) this.#gaps.add(gap);
    }
    this.#drawSoon();
  }

  #draw() {
    const { numbers } = this.#gaps;
    byId('gaps-path').setAttribute('d', this.#gaps.bars);
    byId('gaps-text').textContent = numbers
      ? t('gaps.text', {
          count: numbers.count,
          median: time(numbers.median),
          longest: time(numbers.longest),
          last: time(numbers.last),
        })
      : t('gaps.none');
  }
}
