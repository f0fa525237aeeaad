/**
 * One row of the list: an item, or a chunk of raw bytes. Texts of streams are set as text, and their control characters
 * are shown.
 */

import { clock } from '../clock.js';
import { CONTROL, escaped } from '../controls.js';
import { t } from '../i18n.js';
import { element } from '../notice.js';
import { bytes, time } from '../units.js';

/** @typedef {import('./model.js').Item} Item */
/** @typedef {import('./model.js').Chunk} Chunk */

/** In raw bytes line ends count too. */
const RAW = new RegExp(`${CONTROL.source.slice(0, -1)}|\\n)`, 'u');
const NAMES = new Map([['\n', '\\n'], ['\r', '\\r'], ['\0', '\\0']]);
/** A raw chunk may be large; its beginning is shown. */
const SHOWN = 4_000;

/**
 * @param {Item} item
 * @param {Item | undefined} before
 * @param {number} opened when the head came, since 1970
 */
export function itemRow(item, before, opened) {
  const row = element('li', item.kind, '');
  const isTogether = before?.chunk === item.chunk && item.chunk > 0;
  const stamp = timeOf(opened + item.at);
  if (isTogether) {
    row.classList.add('together');
    stamp.title = t('item.together');
  }
  row.append(
    stamp,
    element('span', 'gap', item.gap === null ? '' : t('item.gap', { time: time(item.gap) })),
    visible('type', item.kind === 'event' ? (item.type ?? '') : t(`item.${item.kind}`)),
    visible('id', item.id ?? ''),
    element('span', 'size', item.kind === 'fault' || item.kind === 'retry' ? '' : bytes(item.size ?? 0)),
    dataOf(item),
  );
  return row;
}

/** @param {Item} item */
function dataOf(item) {
  const size = item.size ?? 0;
  if (item.kind === 'retry') return visible('data', t('item.reconnect', { time: time(item.millis ?? 0) }));
  if (item.kind === 'fault') return visible('data', t(`fault.${item.code}`, { bytes: bytes(size) }));
  const data = item.data ?? '';
  const made = visible('data', data);
  // Only a beginning of 2,000 characters can be less than all of it.
  if (data.length >= 2_000 && size > new TextEncoder().encode(data).length) made.append(t('item.cut', { count: size }));
  return made;
}

/**
 * @param {Chunk} chunk
 * @param {number} opened
 */
export function chunkRow(chunk, opened) {
  const row = element('li', 'chunk', '');
  row.append(timeOf(opened + chunk.at), element('span', 'size', bytes(chunk.size)), rawData(chunk));
  return row;
}

/** Line ends can be told apart; bytes that are no text are shown as numbers. @param {Chunk} chunk */
function rawData({ text, base64, size }) {
  const raw = atob((base64 ?? '').slice(0, SHOWN));
  const hex = [...raw].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
  const made = text === undefined ? element('span', 'data', hex) : visible('data', text.slice(0, SHOWN), RAW);
  const isCut = text === undefined ? raw.length < size : text.length > SHOWN;
  if (isCut) made.append(t('item.cut', { count: size }));
  return made;
}

/** @param {number} at since 1970 */
function timeOf(at) {
  const moment = new Date(at);
  const stamp = element('time', '', clock(moment));
  stamp.setAttribute('datetime', moment.toISOString());
  return stamp;
}

/**
 * A text with its control characters written out.
 * @param {string} className
 * @param {string} text
 * @param {RegExp} [controls]
 */
function visible(className, text, controls = CONTROL) {
  const made = element('span', className, '');
  text.split(controls).forEach((part, index) => {
    if (index % 2 === 0) return made.append(part);
    const name = NAMES.get(part) ?? escaped(part);
    made.append(element('span', 'escape', name));
    if (part === '\n') made.append('\n');
  });
  return made;
}
