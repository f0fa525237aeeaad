/**
 * How the typing answer looks. Draws what it is given and keeps nothing but its elements.
 */

import { countCharacters } from './answer-state.js';
import { t } from './i18n.js';
import { Meters } from './meters.js';
import { byId, drawNotices, element, setText } from './notice.js';
import { StateView } from './state-view.js';
import { StreamFacts } from './stream-facts.js';

/** @typedef {import('./answer-state.js').AnswerState} AnswerState */
/** @typedef {import('./client-stream.js').ClientStream} ClientStream */

export class AnswerView {
  #text = byId('answer-text');
  #empty = byId('answer-empty');
  #legend = byId('answer-legend');
  #notices = byId('answer-notices');
  #lastId = byId('answer-last-id');
  #characters = byId('answer-characters');
  #facts = new StreamFacts((name) => byId(`answer-${name}`));
  #live = byId('answer-live');
  #meters = new Meters({
    rate: byId('answer-rate'),
    intervals: byId('answer-intervals'),
    journal: byId('answer-journal'),
  });
  #ask = /** @type {HTMLButtonElement} */ (byId('ask'));
  #secondTab = /** @type {HTMLAnchorElement} */ (byId('second-tab'));
  #forOneAnswer = [byId('reload'), byId('second-tab'), byId('show-events')];
  #connectionState = new StateView(byId('answer-state'));
  /** The end of the text, where characters are added. */
  #tail = document.createTextNode('');

  /**
   * @param {object} handlers
   * @param {() => void} handlers.onAsk
   * @param {() => void} handlers.onShowEvents
   */
  constructor({ onAsk, onShowEvents }) {
    this.#ask.addEventListener('click', onAsk);
    byId('reload').addEventListener('click', () => location.reload());
    byId('show-events').addEventListener('click', onShowEvents);
  }

  /** @param {boolean} asking */
  setAsking(asking) {
    this.#ask.disabled = asking;
  }

  /** An event has come. */
  count() {
    this.#meters.add();
  }

  /** The next events are those of another stream. */
  begin() {
    this.#meters.clear();
  }

  /** @param {string} characters */
  append(characters) {
    this.#tail.appendData(characters);
  }

  /** Paints the whole text with its marks. @param {AnswerState | null} state */
  paintText(state) {
    const text = state?.text ?? '';
    const parts = [];
    let from = 0;
    for (const { at, kind } of state?.marks ?? []) {
      parts.push(document.createTextNode(text.slice(from, at)));
      parts.push(markElement(kind, state?.fate === 'lost' && at === text.length));
      from = at;
    }
    this.#tail = document.createTextNode(text.slice(from));
    this.#text.replaceChildren(...parts, this.#tail);
    this.#drawLegend(state);
  }

  /**
   * Draws everything but the text.
   * @param {AnswerState | null} state
   * @param {ClientStream | null} connection
   * @param {import('./notice.js').Notice[]} notices
   */
  draw(state, connection, notices) {
    this.#empty.hidden = state !== null;
    this.#text.hidden = state === null;
    for (const control of this.#forOneAnswer) control.hidden = state === null;
    this.#secondTab.href = location.href;
    setText(this.#ask, t(state ? 'answer.askAgain' : 'answer.ask'));

    this.#connectionState.draw(phaseOf(state, connection), connection);
    this.#text.dataset.live = String(connection?.phase === 'open');
    setText(this.#lastId, state?.lastEventId || t('fact.none'));
    setText(this.#characters, state ? countCharacters(state).toLocaleString() : t('fact.none'));
    this.#facts.draw(connection);
    if (this.#live.hidden !== (connection === null)) this.#live.hidden = connection === null;
    this.#meters.draw(connection);
    drawNotices(this.#notices, notices);
  }

  /** @param {AnswerState | null} state */
  #drawLegend(state) {
    const kinds = new Set(state?.marks.map(({ kind }) => kind));
    const entries = [...kinds].map((kind) => {
      const entry = element('span', 'legend-entry', t(`answer.legend.${kind}`));
      entry.dataset.kind = kind;
      return entry;
    });
    this.#legend.replaceChildren(...entries);
    this.#legend.hidden = entries.length === 0;
  }
}

/**
 * @param {import('./answer-state.js').Mark['kind']} kind
 * @param {boolean} last nothing will follow
 */
function markElement(kind, last) {
  if (kind === 'gap') return element('mark', 'hole', t(last ? 'answer.rest' : 'answer.hole'));
  const seam = element('span', 'seam', '');
  seam.dataset.kind = kind;
  seam.title = t(`answer.legend.${kind}`);
  return seam;
}

/**
 * @param {AnswerState | null} state
 * @param {ClientStream | null} connection
 */
function phaseOf(state, connection) {
  if (!state) return 'idle';
  if (state.fate !== 'typing') return state.fate;
  if (connection?.closure?.kind === 'refused') return 'refused';
  return connection?.phase ?? 'idle';
}
