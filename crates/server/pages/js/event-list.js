/**
 * The list of arrived events, newest first: the last ones, with how many went. It can be filtered by
 * topic, and paused, to read it while more arrives. Drawn at most once a frame.
 */

import { EventLog, LIMIT } from './event-log.js';
import { EventRows } from './event-rows.js';
import { oncePerFrame } from './frame.js';
import { onLanguage, t } from './i18n.js';
import { byId, setText } from './notice.js';
import { drawTopicChoice } from './topic-choice.js';

/** @typedef {import('./watched.js').StreamEvent} StreamEvent */

export class EventList {
  #log = new EventLog();
  #rows = new EventRows(byId('events'));
  #count = byId('events-count');
  #empty = byId('events-empty');
  #dropped = byId('events-dropped');
  #waiting = byId('events-waiting');
  #pause = /** @type {HTMLButtonElement} */ (byId('pause'));
  #filter = /** @type {HTMLSelectElement} */ (byId('filter'));
  /** @type {string[]} */
  #topics = [];
  #tellsTopics = false;
  /** While paused: how many had arrived. @type {number | null} */
  #pausedAt = null;
  #drawSoon = oncePerFrame(() => this.#draw());

  constructor() {
    byId('clear').addEventListener('click', () => this.#clear());
    this.#pause.addEventListener('click', () => this.#togglePause());
    this.#filter.addEventListener('change', () => this.#redraw());
    onLanguage(() => this.#drawControls());
    this.#drawControls();
  }

  /** @param {StreamEvent} event */
  add(event) {
    this.#log.add(event, new Date());
    this.#drawSoon();
  }

  /**
   * Other topics are read from now on; what has arrived stays.
   * @param {string[]} topics
   * @param {boolean} tellsTopics does the connection tell which topic an event is from?
   */
  follow(topics, tellsTopics) {
    this.#topics = topics;
    this.#tellsTopics = tellsTopics;
    this.#drawControls();
    this.#redraw();
  }

  #draw() {
    if (this.#pausedAt === null) {
      const wanted = this.#filter.value;
      const news = this.#log.after(this.#rows.newest);
      this.#rows.prepend(news.filter(({ topics }) => wanted === '' || topics.includes(wanted)));
      this.#rows.newest = this.#log.total;
      this.#rows.dropUpTo(this.#log.dropped);
    }
    this.#drawCounts();
  }

  #drawCounts() {
    const { total, dropped } = this.#log;
    setText(this.#count, total > 0 ? t('events.count', { count: total }) : '');
    this.#empty.hidden = this.#rows.count > 0;
    setText(this.#empty, t(total > 0 && this.#filter.value !== '' ? 'events.noneOfTopic' : 'events.empty'));
    this.#dropped.hidden = dropped === 0;
    setText(this.#dropped, t('events.dropped', { count: dropped, limit: LIMIT }));
    const waiting = this.#pausedAt === null ? 0 : total - this.#pausedAt;
    setText(this.#waiting, waiting > 0 ? t('events.waiting', { count: waiting }) : '');
  }

  #drawControls() {
    const many = this.#topics.length > 1;
    drawTopicChoice(this.#filter, many && this.#tellsTopics ? this.#topics : [], t('events.all'));
    byId('events-filter').hidden = !many || !this.#tellsTopics;
    byId('events-no-topics').hidden = !many || this.#tellsTopics;
    this.#rows.showTopics(many && this.#tellsTopics);
    const paused = this.#pausedAt !== null;
    setText(this.#pause, t(paused ? 'events.resume' : 'events.pause'));
    this.#drawCounts();
  }

  #togglePause() {
    this.#pausedAt = this.#pausedAt === null ? this.#log.total : null;
    this.#drawControls();
    this.#draw();
  }

  /** From scratch, as the filter says. */
  #redraw() {
    if (this.#pausedAt !== null) this.#pausedAt = this.#log.total;
    const paused = this.#pausedAt;
    this.#pausedAt = null;
    this.#rows.clear();
    this.#draw();
    this.#pausedAt = paused;
  }

  #clear() {
    this.#log.clear();
    this.#rows.clear();
    if (this.#pausedAt !== null) this.#pausedAt = 0;
    this.#drawCounts();
  }
}
