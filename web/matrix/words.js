/**
 * What every upstream says: numbered tokens, so that each of them can be counted and its middle can be found.
 */

const COUNT = 12;
const MIDDLE = 'tok5';

/** In several scripts, with what JSON, SSE and UTF-8 escape or split. */
const ODD = { 2: 'Grüße ', 3: '世界🌊 ', 4: 'data: [x]\n\n', 7: '"{}\\" ', 8: '\u2028' };

export const TOKENS = Array.from({ length: COUNT }, (_, index) => `tok${index} ${ODD[index] ?? ''}`);
export const TEXT = TOKENS.join('');

/** Whether this piece of an answer is one that a provider would have billed. @param {string} bytes */
export const isToken = (bytes) => /tok\d/.test(bytes);
/** Whether this is the last one before the middle. @param {string} bytes */
export const isMiddle = (bytes) => bytes.includes(MIDDLE);
