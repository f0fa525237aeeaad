/**
 * What a provider says, whatever events it says it in.
 */

const TEXT = 'Grüße, 世界! 🌊 One\ntwo — {"three": 4} data: [x]  \u2028end.';
/** What a tool is called with. */
export const ARGUMENTS = '{"city": "Zürich", "unit": "°C"}';

/** How many words at which pace. @param {any} body @returns {{ count: number, every: number, first?: number }} */
export function words(body) {
  const said = body.messages?.at(-1)?.content ?? body.input;
  return JSON.parse(typeof said === 'string' ? said : said.map((part) => part.text).join(''));
}

/** The text in the pieces that a model would send. @param {any} body */
export function pieces(body) {
  if (body.model !== 'paced') return TEXT.match(/[^ ]+ ?| /gu) ?? [];
  return Array.from({ length: words(body).count }, (_, index) => `word-${index} `);
}

/** What `paced` says in all. @param {number} count */
export function pacedText(count) {
  return pieces({ model: 'paced', input: JSON.stringify({ count, every: 0 }) }).join('');
}

/** All that a model says. @param {any} body */
export const textOf = (body) => pieces(body).join('');

/** A text in small pieces. @param {string} text */
export const slices = (text) => text.match(/.{1,5}/gsu) ?? [];
