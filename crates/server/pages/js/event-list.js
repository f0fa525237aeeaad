/**
 * The list of arrived events, newest first. It keeps the last `LIMIT` and says how many it has
 * dropped. Events that arrive together are drawn together, once a frame.
 */

import { GAP_EVENT } from './gap.js';
import { language, onLanguage, t } from './i18n.js';
import { byId, element } from './notice.js';

/** @typedef {import('./connection.js').StreamEvent} StreamEvent */

const LIMIT = 200;
/** An event may be a megabyte long; a row shows its beginning. */
const SHOWN_CHARACTERS = 2_000;
/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
};

export class EventList {
  #rows = byId('events');
  #count = byId('events-count');
  #empty = byId('events-empty');
  #dropped = byId('events-dropped');
  #total = 0;
  /** Arrived, not yet drawn, oldest first. @type {Element[]} */
  #waiting = [];
  #frameAsked = false;

  constructor() {
    byId('clear').addEventListener('click', () => this.#clear());
    onLanguage(() => this.#drawCounts());
    this.#drawCounts();
  }

  /** @param {StreamEvent} event */
  add(event) {
    this.#total += 1;
    this.#waiting.push(row(event, new Date()));
    if (this.#waiting.length > LIMIT) this.#waiting.shift(); // no frames come in a hidden tab
    if (this.#frameAsked) return;
    this.#frameAsked = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frameAsked = false;
    this.#rows.prepend(...this.#waiting.reverse());
    this.#waiting = [];
    while (this.#rows.childElementCount > LIMIT) this.#rows.lastElementChild?.remove();
    this.#drawCounts();
  }

  #drawCounts() {
    const dropped = this.#total - this.#rows.childElementCount - this.#waiting.length;
    this.#count.textContent = this.#total > 0 ? t('events.count', { count: this.#total }) : '';
    this.#empty.hidden = this.#total > 0;
    this.#dropped.hidden = dropped === 0;
    this.#dropped.textContent = t('events.dropped', { count: dropped, limit: LIMIT });
  }

  #clear() {
    this.#total = 0;
    this.#waiting = [];
    this.#rows.replaceChildren();
    this.#drawCounts();
  }
}

/**
 * @param {StreamEvent} event
 * @param {Date} time
 */
function row(event, time) {
  const item = element('li', '', '');
  if (event.type === GAP_EVENT) item.className = 'gap';
  const stamp = element('time', '', clock(time));
  stamp.setAttribute('datetime', time.toISOString());
  const data = element('span', 'data', shown(event.data));
  item.append(stamp, element('span', 'type', event.type), element('span', 'id', event.id), data);
  return item;
}

/** @param {string} data */
function shown(data) {
  if (data.length <= SHOWN_CHARACTERS) return data;
  return data.slice(0, SHOWN_CHARACTERS) + t('events.cut', { count: data.length });
}

/** Hours to milliseconds. @param {Date} time */
function clock(time) {
  return time.toLocaleTimeString(language(), CLOCK);
}
