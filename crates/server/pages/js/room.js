/**
 * The room: who reads a topic, live. One stream of `/presence` while the page is seen; a hidden page
 * lets it go, as a browser has few connections, and asks again when it is back.
 *
 * What changes here by itself is not announced: people come and go all the time.
 */

import { presencePath } from './addresses.js';
import { ClientStream } from './client-stream.js';
import { shown } from './controls.js';
import { oncePerFrame } from './frame.js';
import { onLanguage, t } from './i18n.js';
import { Members } from './members.js';
import { byId, setText } from './notice.js';
import { authorization, onToken } from './token.js';
import { drawTopicChoice } from './topic-choice.js';

/** So many names are shown; the count is always right. */
const SHOWN_NAMES = 30;

export class Room {
  #choice = /** @type {HTMLSelectElement} */ (byId('room-topic'));
  #count = byId('room-count');
  #unit = byId('room-unit');
  #names = byId('room-names');
  #state = byId('room-state');
  #retryMs;
  #topic = '';
  #members = new Members();
  /** @type {ClientStream | null} */
  #connection = null;
  #drawSoon = oncePerFrame(() => this.#draw());

  /** @param {{ retryMs: () => number }} options */
  constructor({ retryMs }) {
    this.#retryMs = retryMs;
    this.#choice.addEventListener('change', () => this.#watch(this.#choice.value));
    onToken(() => this.#ask());
    onLanguage(() => this.#draw());
  }

  /** Watches the first of these topics; the others can be chosen. @param {string[]} topics */
  follow(topics) {
    drawTopicChoice(this.#choice, topics);
    byId('room-choice').hidden = topics.length < 2;
    const wanted = this.#choice.value;
    if (wanted !== this.#topic || this.#connection?.phase === 'closed') this.#watch(wanted);
  }

  /** Lets what depends on the time move on. */
  tick() {
    this.#draw();
  }

  /** @param {string} topic */
  #watch(topic) {
    this.#topic = topic;
    this.#members = new Members();
    this.#ask();
  }

  #ask() {
    this.#connection?.close();
    this.#connection = null;
    if (this.#topic !== '') {
      this.#connection = new ClientStream({
        path: presencePath(this.#topic),
        headers: authorization,
        // There is nothing to resume: each connection begins with who is there.
        prime: false,
        openWhenHidden: false,
        retryMs: this.#retryMs,
        onEvent: ({ type, data }) => {
          this.#members.take(type, data);
          this.#drawSoon();
        },
        onChange: () => this.#draw(),
      });
    }
    this.#draw();
  }

  #draw() {
    const { readers } = this.#members;
    setText(this.#count, readers === null ? t('fact.none') : readers.toLocaleString());
    setText(this.#unit, t(readers === 1 ? 'room.one' : 'room.many', { topic: shown(this.#topic) }));
    setText(this.#names, namesText(this.#members));
    setText(this.#state, this.#stateText());
  }

  #stateText() {
    const connection = this.#connection;
    if (!connection || connection.phase === 'open') return '';
    if (connection.closure?.kind === 'refused') return t('room.refused', { detail: connection.closure.detail });
    return t(this.#members.readers === null ? 'room.connecting' : 'room.lost');
  }
}

/** @param {Members} members */
function namesText(members) {
  const { list, nameless } = members;
  const names = list.slice(0, SHOWN_NAMES).map(({ name, readers }) => {
    return readers === 1 ? shown(name) : t('room.name', { name: shown(name), readers });
  });
  if (nameless !== null && nameless > 0 && list.length > 0) names.push(t('room.nameless', { count: nameless }));
  if (!members.complete || list.length > SHOWN_NAMES) names.push(t('room.more'));
  return names.join(', ');
}
