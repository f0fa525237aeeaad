/**
 * Lengths of time and sizes as people read them.
 */

import { t } from './i18n.js';

/** @param {number} milliseconds */
export function time(milliseconds) {
  if (milliseconds < 1_000) return t('unit.ms', { value: Math.round(milliseconds) });
  if (milliseconds < 60_000) return t('unit.s', { value: short(milliseconds / 1_000) });
  if (milliseconds < 3_600_000) return t('unit.min', { value: short(milliseconds / 60_000) });
  return t('unit.h', { value: short(milliseconds / 3_600_000) });
}

/** @param {number} count */
export function bytes(count) {
  if (count < 1_024) return t('unit.bytes', { value: count });
  if (count < 1_048_576) return t('unit.kib', { value: short(count / 1_024) });
  return t('unit.mib', { value: short(count / 1_048_576) });
}

/** Three digits are enough. @param {number} value */
function short(value) {
  return Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));
}
