/**
 * One row of the list: an item, or a chunk of raw bytes. Texts of streams are set as text, and their control characters
 * are shown.
 */

import { clock } from '../clock.js';
import { t } from '../i18n.js';
import { element } from '../notice.js';
import { bytes, time } from './units.js';

/** @typedef {import('./model.js').Item} Item */
/** @typedef {import('./model.js').Chunk} Chunk */

/** Pictures of control characters stand at U+2400. */
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
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
  const id = element('span', 'id', visible(item.id ?? ''));
  row.append(
    stamp,
    element('span', 'gap', item.gap === null ? '' : t('item.gap', { time: time(item.gap) })),
    element('span', 'type', item.kind === 'event' ? visible(item.type ?? '') : t(`item.${item.kind}`)),
    id,
    element('span', 'size', item.kind === 'fault' || item.kind === 'retry' ? '' : bytes(item.size ?? 0)),
    element('span', 'data', dataOf(item)),
  );
  return row;
}

/** @param {Item} item */
function dataOf(item) {
  if (item.kind === 'retry') return t('item.reconnect', { time: time(item.millis ?? 0) });
  if (item.kind === 'fault') return t(`fault.${item.code}`, { bytes: bytes(item.size ?? 0) });
  const data = visible(item.data ?? '');
  // 2,000 characters take 2,000 bytes at least.
  const isCut = (item.data?.length ?? 0) >= 2_000 && (item.size ?? 0) > new TextEncoder().encode(item.data).length;
  return isCut ? data + t('item.cut', { count: item.size ?? 0 }) : data;
}

/**
 * @param {Chunk} chunk
 * @param {number} opened
 */
export function chunkRow(chunk, opened) {
  const row = element('li', 'chunk', '');
  row.append(timeOf(opened + chunk.at), element('span', 'size', bytes(chunk.size)), element('span', 'data', rawText(chunk)));
  return row;
}

/** Line ends can be told apart; bytes that are no text are shown as numbers. @param {Chunk} chunk */
function rawText({ text, base64, size }) {
  if (text !== undefined) {
    const shown = text.slice(0, SHOWN).replace(/\r\n/g, '\u240d\u240a\n').replace(/\r/g, '\u240d').replace(/(?<!\u240a)\n/g, '\u240a\n');
    const cut = text.length > SHOWN ? t('item.cut', { count: size }) : '';
    return visible(shown) + cut;
  }
  const raw = atob((base64 ?? '').slice(0, SHOWN));
  const hex = [...raw].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
  return raw.length < size ? hex + t('item.cut', { count: size }) : hex;
}

/** @param {number} at since 1970 */
function timeOf(at) {
  const moment = new Date(at);
  const stamp = element('time', '', clock(moment));
  stamp.setAttribute('datetime', moment.toISOString());
  return stamp;
}

/** @param {string} text */
function visible(text) {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
