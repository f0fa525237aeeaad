/**
 * How a stream is, in words and as a colour.
 */

import { t } from '../i18n.js';
import { time } from '../units.js';
import { isStream, openedAt } from './model.js';

/** A silence shorter than this is not worth a word. */
const SILENCE_MS = 3_000;

/** @param {import('./model.js').Stream} stream */
export function phaseOf(stream) {
  if (!isStream(stream) || stream.ending === 'cut') return 'lost';
  if (stream.ending === null) return 'open';
  return stream.ending === 'end' ? 'done' : 'closed';
}

/**
 * @param {import('./model.js').Stream} stream
 * @param {number} now since 1970
 */
export function stateText(stream, now) {
  if (stream.ending === null) {
    const silent = now - openedAt(stream) - stream.counts.last_at;
    return silent < SILENCE_MS ? t('stream.open') : t('stream.silent', { time: time(Math.floor(silent / 1_000) * 1_000) });
  }
  return endingText(stream);
}

/** @param {import('./model.js').Stream} stream */
export function endingText(stream) {
  if (stream.ending === null) return t('stream.open');
  const text = isStream(stream) ? t(`stream.${stream.ending}`) : t('stream.answered', { status: String(stream.response.status) });
  return stream.why ? text + t('stream.why', { why: stream.why }) : text;
}
