/**
 * The state of a connection in a word, with how long a wait has lasted.
 *
 * The word is announced to screen readers when it changes; the running seconds are not.
 */

import { t } from './i18n.js';
import { element } from './notice.js';

const WAITING = new Set(['connecting', 'reconnecting']);
/** Waits shorter than this are not worth a number. */
const SHOWN_FROM_MS = 1_000;

export class StateView {
  #place;
  #word = element('span', '', '');
  #elapsed = element('span', 'elapsed', '');

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    this.#word.setAttribute('role', 'status');
    this.#elapsed.setAttribute('aria-hidden', 'true');
    place.append(this.#word, this.#elapsed);
  }

  /**
   * @param {string} phase a key of `phase.*`
   * @param {number | null} since when the phase began
   * @param {string} [word] shown instead of the phase's own word
   */
  draw(phase, since, word = t(`phase.${phase}`)) {
    this.#place.dataset.phase = phase;
    if (this.#word.textContent !== word) this.#word.textContent = word;
    const waited = since === null ? 0 : performance.now() - since;
    const shown = WAITING.has(phase) && waited >= SHOWN_FROM_MS;
    this.#elapsed.textContent = shown ? t('phase.elapsed', { seconds: Math.floor(waited / 1000) }) : '';
  }
}
