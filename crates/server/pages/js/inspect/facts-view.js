/**
 * A stream in numbers, and its headers.
 */

import { t } from '../i18n.js';
import { byId, element } from '../notice.js';
import { bytes, time } from '../units.js';
import { answered } from './model.js';

/** @typedef {import('./model.js').Stream} Stream */

export class FactsView {
  /** Drawn again only when it has changed, so that a text that is being selected stays. */
  #drawn = '';
  #headers = '';

  /** @param {Stream} stream */
  draw(stream) {
    const { counts, response } = stream;
    /** @type {[string, string | null][]} */
    const facts = [
      ['fact.type', answered(stream, 'content-type')],
      ['fact.packed', answered(stream, 'content-encoding')],
      ['fact.head', time(response.after)],
      ['fact.bytes', t('fact.bytesChunks', { bytes: bytes(counts.bytes), chunks: counts.chunks })],
      ['fact.comments', counts.comments > 0 ? counts.comments.toLocaleString() : null],
      ['fact.retryTold', counts.retry === null ? null : time(counts.retry)],
      ['fact.heartbeat', answered(stream, 'tidewire-heartbeat')],
      ['fact.resumeTold', answered(stream, 'tidewire-resume')],
      ['fact.missed', counts.missed > 0 ? bytes(counts.missed) : null],
    ];
    const shown = facts.flatMap(([key, value]) => (value === null ? [] : [[t(key), value]]));
    const fingerprint = JSON.stringify(shown);
    if (fingerprint !== this.#drawn) {
      this.#drawn = fingerprint;
      byId('facts').replaceChildren(...shown.map(([name, value]) => pair(name, value)));
    }
    this.#drawHeaders(stream);
  }

  /** @param {Stream} stream */
  #drawHeaders({ id, request, response }) {
    const key = `${id} ${t('headers.leftOut')}`;
    if (key === this.#headers) return;
    this.#headers = key;
    const first = `${request.method} ${request.url}`;
    const status = `${response.version} ${response.status}`;
    byId('request-headers').replaceChildren(pair('', first), ...request.headers.map(header));
    byId('response-headers').replaceChildren(pair('', status), ...response.headers.map(header));
  }
}

/** @param {[string, string | null]} header */
function header([name, value]) {
  return pair(name, value ?? t('headers.leftOut'));
}

/** @param {string} name @param {string} value */
function pair(name, value) {
  const box = element('div', '', '');
  if (name !== '') box.append(element('dt', '', name));
  box.append(element('dd', '', value));
  return box;
}
