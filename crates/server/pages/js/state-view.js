/**
 * The state of a connection in a word, with how long a wait has lasted or will last.
 *
 * The word is announced to screen readers when it changes; the running seconds are not.
 */

import { t } from './i18n.js';
import { element, setText } from './notice.js';

const LASTING = new Set(['connecting', 'reconnecting']);
/** Waits shorter than this are not worth a number. */
const SHOWN_FROM_MS = 1_000;

/**
 * What is shown of a connection: its phase, since when it is in it, and until when it waits.
 * @typedef {{ phase: string, since: number, retryAt?: number }} Watched
 */

export class StateView {
  #place;
  #word = element('span', '', '');
  #seconds = element('span', 'elapsed', '');

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    this.#word.setAttribute('role', 'status');
    this.#seconds.setAttribute('aria-hidden', 'true');
    place.append(this.#word, this.#seconds);
  }

  /**
   * @param {string} phase a key of `phase.*`
   * @param {Watched | null} watched whose seconds are shown
   */
  draw(phase, watched) {
    if (this.#isBriefAttempt(phase, watched)) return;
    this.#place.dataset.phase = phase;
    const word = t(`phase.${phase}`);
    setText(this.#word, word);
    const seconds = watched ? this.#secondsText(phase, watched) : '';
    setText(this.#seconds, seconds);
  }

  /**
   * An attempt between two waits that is over soon is no news: it would be announced each time.
   * @param {string} phase
   * @param {Watched | null} watched
   */
  #isBriefAttempt(phase, watched) {
    if (phase !== 'reconnecting' || this.#place.dataset.phase !== 'waiting' || !watched) return false;
    return performance.now() - watched.since < SHOWN_FROM_MS;
  }

  /**
   * @param {string} phase
   * @param {Watched} watched
   */
  #secondsText(phase, { since, retryAt = 0 }) {
    const now = performance.now();
    if (phase === 'waiting') {
      return t('phase.countdown', { seconds: Math.max(Math.ceil((retryAt - now) / 1000), 0) });
    }
    const shown = LASTING.has(phase) && now - since >= SHOWN_FROM_MS;
    return shown ? t('phase.elapsed', { seconds: Math.floor((now - since) / 1000) }) : '';
  }
}

/**
 * The word for a connection: its phase, or how it came to its end.
 * @param {{ phase: string, closure: import('./watched.js').Closure | null } | null} connection
 * @param {'closed' | 'aborted'} closedByUs
 */
export function phaseWord(connection, closedByUs) {
  if (!connection) return 'idle';
  if (connection.phase !== 'closed') return connection.phase;
  const kind = connection.closure?.kind ?? 'local';
  if (kind === 'local') return closedByUs;
  return kind === 'ended' ? 'ended' : 'refused';
}
