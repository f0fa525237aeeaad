/**
 * The connections of one group side by side: a row each, with what it came with, what it got, and when it was.
 */

import { clock } from '../clock.js';
import { shown } from '../controls.js';
import { t } from '../i18n.js';
import { byId, element } from '../notice.js';
import { time } from '../units.js';
import { openedAt, overAt, resumption } from './model.js';
import { endingText, phaseOf } from './state.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The picture's own units. */
const WIDTH = 100;

/** @typedef {import('./model.js').Group} Group */
/** @typedef {import('./model.js').Stream} Stream */

export class AttemptsView {
  #place = byId('attempts');
  #onPick;
  /** @type {Map<number, Row>} */
  #rows = new Map();

  /** @param {(id: number) => void} onPick */
  constructor(onPick) {
    this.#onPick = onPick;
  }

  /**
   * @param {Group} group
   * @param {Stream} picked
   * @param {number} now since 1970
   */
  draw(group, picked, now) {
    const { streams } = group;
    byId('attempts-title').textContent =
      streams.length === 1 ? t('attempts.one') : t('attempts.many', { count: streams.length });
    const span = { from: streams[0].time, to: Math.max(...streams.map((stream) => overAt(stream, now))) };
    // The newest first, as everywhere.
    const rows = streams.toReversed().map((stream) => {
      const row = this.#rows.get(stream.id) ?? new Row(stream, () => this.#onPick(stream.id));
      this.#rows.set(stream.id, row);
      row.draw(stream, stream.id === picked.id, span, now);
      return row.element;
    });
    const isSame = rows.length === this.#place.childElementCount && rows.every((row, at) => row === this.#place.children[at]);
    if (!isSame) this.#place.replaceChildren(...rows);
    const ids = new Set(streams.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    drawResumption(group, picked);
  }
}

class Row {
  element = element('tr', '', '');
  #opened = element('button', 'quiet', '');
  #cells = ['wire', 'wire', 'number', 'wire', 'number', 'state'].map((name) => element('td', name, ''));
  #bar = document.createElementNS(SVG, 'path');

  /** @param {Stream} stream @param {() => void} onPick */
  constructor(stream, onPick) {
    this.#opened.setAttribute('type', 'button');
    this.#opened.addEventListener('click', onPick);
    const head = element('th', 'wire', '');
    head.setAttribute('scope', 'row');
    head.append(this.#opened);
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 ${WIDTH} 10`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(this.#bar);
    const when = element('td', 'when', '');
    when.append(svg);
    this.element.append(head, ...this.#cells, when);
    this.element.dataset.stream = String(stream.id);
  }

  /**
   * @param {Stream} stream
   * @param {boolean} isPicked
   * @param {{ from: number, to: number }} span
   * @param {number} now
   */
  draw(stream, isPicked, span, now) {
    const opened = clock(new Date(stream.time));
    setText(this.#opened, opened);
    this.#opened.setAttribute('aria-label', t('attempt.show', { time: opened }));
    this.#opened.setAttribute('aria-current', String(isPicked));
    this.element.classList.toggle('picked', isPicked);
    const over = overAt(stream, now);
    const texts = [
      stream.came_with === '' ? t('attempt.emptyId') : (stream.came_with ?? t('fact.none')),
      String(stream.response.status),
      stream.counts.events.toLocaleString(),
      stream.last_event_id || t('fact.none'),
      time(over - openedAt(stream)),
      endingText(stream),
    ];
    texts.map(shown).forEach((text, at) => {
      setText(this.#cells[at], text);
      // A long one is cut by the style.
      this.#cells[at].title = text;
    });
    this.#cells[5].dataset.phase = phaseOf(stream);
    const scale = WIDTH / Math.max(span.to - span.from, 1);
    const from = (stream.time - span.from) * scale;
    const width = Math.max((over - stream.time) * scale, 0.8);
    this.#bar.setAttribute('d', `M${Math.min(from, WIDTH - 0.8).toFixed(2)} 1h${width.toFixed(2)}v8h-${width.toFixed(2)}z`);
  }
}

/** Whether the reader came back with what it had. @param {Group} group @param {Stream} picked */
function drawResumption(group, picked) {
  const place = byId('resume');
  const found = resumption(group, picked);
  place.hidden = !found;
  if (!found) return;
  place.dataset.kind = found.kind;
  setText(place, t(`resume.${found.kind}`, { time: time(found.time), id: shown(found.id) || t('fact.none'), came: shown(found.came) || t('attempt.emptyId') }));
}

/** @param {Element} place @param {string} text */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
