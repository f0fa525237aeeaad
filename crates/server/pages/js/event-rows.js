/**
 * The rows of the event list: one an event, newest first. Texts of events are set as text, and their control characters
 * are written out.
 */

import { clock } from './clock.js';
import { shown } from './controls.js';
import { GAP_EVENT } from './gap.js';
import { t } from './i18n.js';
import { element } from './notice.js';

/** @typedef {import('./event-log.js').Entry} Entry */

export class EventRows {
  /** The number of the newest event that was looked at. */
  newest = 0;
  #place;
  /** Numbers of the events that have a row, oldest first. @type {number[]} */
  #numbers = [];

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  get count() {
    return this.#numbers.length;
  }

  /** @param {Entry[]} entries oldest first */
  prepend(entries) {
    this.#place.prepend(...entries.map(row).reverse());
    this.#numbers.push(...entries.map(({ number }) => number));
  }

  /** Removes the rows of events up to `number`. @param {number} number */
  dropUpTo(number) {
    const kept = this.#numbers.filter((candidate) => candidate > number);
    for (let gone = this.#numbers.length - kept.length; gone > 0; gone -= 1) {
      this.#place.lastElementChild?.remove();
    }
    this.#numbers = kept;
  }

  /** @param {boolean} shown */
  showTopics(shown) {
    this.#place.classList.toggle('with-topics', shown);
  }

  clear() {
    this.newest = 0;
    this.#numbers = [];
    this.#place.replaceChildren();
  }
}

/** @param {Entry} entry */
function row(entry) {
  const item = element('li', '', '');
  if (entry.type === GAP_EVENT) item.className = 'gap';
  const stamp = element('time', '', clock(entry.time));
  stamp.setAttribute('datetime', entry.time.toISOString());
  item.append(
    stamp,
    element('span', 'topic', shown(entry.topics.join(', '))),
    element('span', 'type', shown(entry.type)),
    element('span', 'id', shown(entry.id)),
    element('span', 'data', dataText(entry)),
  );
  return item;
}

/** @param {Entry} entry */
function dataText({ data, length }) {
  return data.length < length ? shown(data) + t('events.cut', { count: length }) : shown(data);
}
