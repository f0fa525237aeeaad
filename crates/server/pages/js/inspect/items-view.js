/**
 * The list of what came in a stream, newest first, as events or as raw chunks. It can be filtered and searched, and
 * paused to read it while more arrives. Drawn at most once a frame.
 */

import { shown } from '../controls.js';
import { oncePerFrame } from '../frame.js';
import { onLanguage, t } from '../i18n.js';
import { byId, element } from '../notice.js';
import { bytes } from '../units.js';
import { ItemLog } from './item-log.js';
import { isStream, openedAt, passes } from './model.js';
import { chunkRow, itemRow } from './rows.js';

/** @typedef {import('./model.js').Item} Item */
/** @typedef {import('./model.js').Chunk} Chunk */

/** Rows in the document; what is kept beyond them shows when it fits the filter. */
const MAX_ROWS = 500;
/** Types that the filter offers. */
const MAX_TYPES = 50;
const KINDS = [['events', 'filter.events'], ['comment', 'filter.comments'], ['retry', 'filter.retries'], ['fault', 'filter.faults']];

export class ItemsView {
  #place = byId('items');
  #kind = /** @type {HTMLSelectElement} */ (byId('kind'));
  #search = /** @type {HTMLInputElement} */ (byId('search'));
  #pause = byId('pause');
  /** @type {ItemLog<Item>} */
  #items;
  /** @type {ItemLog<Chunk>} */
  #chunks;
  /** @type {import('./model.js').Stream | null} */
  #stream = null;
  #isRaw = false;
  #onRaw;
  #keptBytes;
  /** Of the log, how many have been looked at. */
  #drawn = 0;
  /** While paused: how many had come. @type {number | null} */
  #pausedAt = null;
  /** @type {Set<string>} */
  #types = new Set();
  #drawSoon = oncePerFrame(() => this.#draw());

  /**
   * @param {object} options
   * @param {number} options.limit how many items the inspector keeps
   * @param {number} options.keptBytes how many bytes of a stream it keeps
   * @param {(isRaw: boolean) => void} options.onRaw
   */
  constructor({ limit, keptBytes, onRaw }) {
    this.#items = new ItemLog(limit);
    this.#chunks = new ItemLog(limit);
    this.#keptBytes = keptBytes;
    this.#onRaw = onRaw;
    this.#kind.addEventListener('change', () => this.#redraw());
    this.#search.addEventListener('input', () => this.#redraw());
    this.#pause.addEventListener('click', () => this.#togglePause());
    byId('view-events').addEventListener('click', () => this.#show(false));
    byId('view-raw').addEventListener('click', () => this.#show(true));
    onLanguage(() => {
      this.#drawControls();
      this.#redraw();
    });
    this.#drawControls();
  }

  get isRaw() {
    return this.#isRaw;
  }

  /** Another stream is shown, or this one from its beginning. @param {import('./model.js').Stream | null} stream */
  begin(stream) {
    this.#stream = stream;
    this.#items.clear();
    this.#chunks.clear();
    this.#types.clear();
    this.#place.classList.add('without-ids');
    if (this.#pausedAt !== null) this.#togglePause();
    this.#drawControls();
    this.#redraw();
  }

  /** @param {import('./model.js').Update} update */
  add({ items, chunks }) {
    this.#items.add(items);
    this.#chunks.add(chunks);
    const known = this.#types.size;
    for (const { kind, type } of items) {
      if (kind === 'event' && type !== undefined && this.#types.size < MAX_TYPES) this.#types.add(type);
    }
    if (this.#types.size > known) this.#drawControls();
    if (items.some(({ id }) => id)) this.#place.classList.remove('without-ids');
    this.#drawSoon();
  }

  /** What is known of the stream has changed. @param {import('./model.js').Stream} stream */
  know(stream) {
    this.#stream = stream;
    this.#drawSoon();
  }

  #log() {
    return this.#isRaw ? this.#chunks : this.#items;
  }

  #draw() {
    if (this.#pausedAt === null && this.#stream) this.#drawNews(openedAt(this.#stream));
    this.#drawCounts();
  }

  /** @param {number} opened */
  #drawNews(opened) {
    const log = this.#log();
    /** @type {HTMLElement[]} */
    const rows = [];
    if (this.#isRaw) {
      for (const chunk of this.#chunks.after(this.#drawn)) rows.push(chunkRow(chunk, opened));
    } else {
      const filter = { kind: this.#kind.value, search: this.#search.value };
      const news = this.#items.after(this.#drawn);
      /** @type {Item | undefined} */
      let before = this.#items.after(Math.max(this.#drawn - 1, 0))[0];
      if (before === news[0]) before = undefined;
      for (const item of news) {
        if (passes(item, filter)) rows.push(itemRow(item, before, opened));
        before = item;
      }
    }
    this.#drawn = log.total;
    this.#place.prepend(...rows.slice(-MAX_ROWS).reverse());
    while (this.#place.childElementCount > MAX_ROWS) this.#place.lastElementChild?.remove();
  }

  #drawCounts() {
    const log = this.#log();
    const shown = this.#place.childElementCount;
    const { total } = log;
    byId('items-count').textContent =
      total === 0 ? '' : shown < total ? t('items.shown', { shown, count: total }) : t('items.count', { count: total });
    const empty = byId('items-empty');
    empty.hidden = shown > 0;
    const isOther = this.#stream !== null && !isStream(this.#stream) && !this.#isRaw;
    empty.textContent = t(isOther ? 'items.noStream' : total > 0 ? 'items.noMatch' : 'items.empty');
    const gone = byId('items-gone');
    const isFull = this.#isRaw && this.#stream?.is_full === true;
    gone.hidden = log.gone === 0 && !isFull;
    gone.textContent = isFull
      ? t('items.full', { bytes: bytes(this.#keptBytes) })
      : t('items.gone', { count: log.gone });
    const waiting = this.#pausedAt === null ? 0 : total - this.#pausedAt;
    byId('items-waiting').textContent = waiting > 0 ? t('events.waiting', { count: waiting }) : '';
  }

  #drawControls() {
    const wanted = this.#kind.value;
    const types = [...this.#types].map((type) => [`type:${type}`, t('filter.type', { type: shown(type) })]);
    const kinds = KINDS.map(([value, key]) => [value, t(key)]);
    const options = [['', t('filter.all')], ...kinds, ...types].map(([value, text]) => {
      const option = /** @type {HTMLOptionElement} */ (element('option', '', text));
      option.value = value;
      return option;
    });
    this.#kind.replaceChildren(...options);
    this.#kind.value = options.some(({ value }) => value === wanted) ? wanted : '';
    this.#kind.disabled = this.#isRaw;
    this.#search.disabled = this.#isRaw;
    byId('view-events').setAttribute('aria-pressed', String(!this.#isRaw));
    byId('view-raw').setAttribute('aria-pressed', String(this.#isRaw));
    this.#pause.textContent = t(this.#pausedAt === null ? 'events.pause' : 'events.resume');
    this.#place.classList.toggle('raw', this.#isRaw);
  }

  #togglePause() {
    this.#pausedAt = this.#pausedAt === null ? this.#log().total : null;
    this.#drawControls();
    this.#draw();
  }

  /** @param {boolean} isRaw */
  #show(isRaw) {
    if (this.#isRaw === isRaw) return;
    this.#isRaw = isRaw;
    this.#drawControls();
    this.#onRaw(isRaw);
  }

  /** From scratch, as the filter says; also while paused, as of then. */
  #redraw() {
    const paused = this.#pausedAt;
    this.#pausedAt = null;
    this.#drawn = 0;
    this.#place.replaceChildren();
    this.#draw();
    this.#pausedAt = paused === null ? null : this.#log().total;
    this.#drawCounts();
  }
}
