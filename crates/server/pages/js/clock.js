/**
 * The time of day, to the millisecond.
 */

import { language } from './i18n.js';

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
};

/** @param {Date} time */
export function clock(time) {
  return time.toLocaleTimeString(language(), CLOCK);
}
