/**
 * The list of streams, grouped by method and path: one button a group.
 */

import { t } from '../i18n.js';
import { byId, element } from '../notice.js';
import { phaseOf } from './state.js';

/** @typedef {import('./model.js').Group} Group */

export class GroupsView {
  #place = byId('groups');
  #onPick;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /** @param {(key: string) => void} onPick */
  constructor(onPick) {
    this.#onPick = onPick;
  }

  /**
   * @param {Group[]} groups
   * @param {string | null} picked
   */
  draw(groups, picked) {
    const rows = groups.map((group) => this.#row(group, group.key === picked));
    // Moved only when the order has changed: a row that is moved loses its focus.
    const isSame = rows.length === this.#place.childElementCount && rows.every((row, at) => row === this.#place.children[at]);
    if (!isSame) this.#place.replaceChildren(...rows);
    const keys = new Set(groups.map(({ key }) => key));
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#rows.delete(key);
  }

  /** @param {Group} group @param {boolean} isPicked */
  #row({ key, streams }, isPicked) {
    const row = this.#rows.get(key) ?? this.#build(key);
    const last = streams[streams.length - 1];
    const events = streams.reduce((sum, { counts }) => sum + counts.events, 0);
    const [button] = row.children;
    button.setAttribute('aria-current', String(isPicked));
    const [state, , numbers] = button.children;
    /** @type {HTMLElement} */ (state).dataset.phase = phaseOf(streams.find(({ ending }) => ending === null) ?? last);
    const words = [t('stream.count', { count: events })];
    if (streams.length > 1) words.push(t('stream.attempts', { count: streams.length }));
    const text = words.join(' · ');
    if (numbers.textContent !== text) numbers.textContent = text;
    return row;
  }

  /** @param {string} key */
  #build(key) {
    const row = element('li', '', '');
    const button = element('button', 'group', '');
    button.setAttribute('type', 'button');
    const [method, path] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    const name = element('span', 'wire', '');
    name.append(element('span', 'method', method), ` ${path}`);
    button.append(element('span', 'state', ''), name, element('span', 'hint', ''));
    button.addEventListener('click', () => this.#onPick(key));
    row.append(button);
    this.#rows.set(key, row);
    return row;
  }
}
