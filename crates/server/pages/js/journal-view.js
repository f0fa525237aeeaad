/**
 * The journal of a stream as a list, newest first. Rows are made once.
 */

import { clock } from './clock.js';
import { onLanguage, t, texts } from './i18n.js';
import { LIMIT } from './journal.js';
import { element } from './notice.js';
import { time } from './units.js';

/** @typedef {import('./journal.js').Entry} Entry */

export class JournalView {
  #list;
  /** @type {import('./journal.js').Journal | null} */
  #journal = null;
  /** The number of the newest entry that has a row. */
  #newest = 0;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
    onLanguage(() => this.#redraw());
  }

  /** @param {import('./journal.js').Journal | null} journal */
  draw(journal) {
    if (journal !== this.#journal) {
      this.#journal = journal;
      this.#redraw();
      return;
    }
    if (!journal || journal.total === this.#newest) return;
    const news = journal.entries.filter(({ number }) => number > this.#newest);
    this.#list.prepend(...news.map(row).reverse());
    this.#newest = journal.total;
    while (this.#list.childElementCount > LIMIT) this.#list.lastElementChild?.remove();
  }

  #redraw() {
    const journal = this.#journal;
    this.#list.replaceChildren(...(journal?.entries ?? []).map(row).reverse());
    this.#newest = journal?.total ?? 0;
  }
}

/** @param {Entry} entry */
function row(entry) {
  const item = element('li', '', '');
  item.dataset.kind = entry.kind === 'over' ? entry.closure.kind : entry.kind;
  const stamp = element('time', '', clock(entry.time));
  stamp.setAttribute('datetime', entry.time.toISOString());
  item.append(stamp, element('span', '', entryText(entry)));
  return item;
}

/** @param {Entry} entry */
function entryText(entry) {
  switch (entry.kind) {
    case 'open':
      return openText(entry);
    case 'lost':
    case 'failed':
      return lostText(entry);
    case 'gap':
      return t('journal.gap', { reason: entry.gap.reason, resumed: entry.gap.resumedAfter || '?' });
    case 'over':
      return overText(entry.closure);
  }
}

/** @param {Extract<Entry, { kind: 'open' }>} entry */
function openText({ attempt, resume, outageMs }) {
  const said = [attempt === null ? t('journal.open') : t('journal.opened', { attempt })];
  if (outageMs !== null) said.push(t('journal.away', { time: time(outageMs) }));
  if (`resume.${resume}` in texts.en) said.push(t('journal.resume', { resume: t(`resume.${resume}`) }));
  return said.join('');
}

/** @param {Extract<Entry, { kind: 'lost' | 'failed' }>} entry */
function lostText({ kind, attempt, cause, waitMs }) {
  if (waitMs === 0) return t('journal.asks');
  const said = t(`journal.${kind}`, { attempt: attempt ?? '', cause: causeText(cause) });
  return waitMs === null ? said : said + t('journal.wait', { time: time(waitMs) });
}

/** @param {import('./watched.js').Closure} closure */
function overText(closure) {
  return t(`journal.${closure.kind}`, { status: closure.kind === 'refused' ? closure.status : 0 });
}

/** Why an attempt failed. @param {import('./journal.js').Cause} cause */
export function causeText({ code, status, message }) {
  const key = `cause.${code}`;
  return key in texts.en ? t(key, { status: String(status ?? '') }) : message;
}
