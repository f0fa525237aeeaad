/**
 * Differences that `docs/relay.md` states: `expected.json`, each with the sentence that states it.
 */

import { readFile } from 'node:fs/promises';

const DOCUMENT = new URL('../../docs/relay.md', import.meta.url);
const words = (text) => text.replace(/\s+/g, ' ');
const pattern = (glob) => new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
const isOneOf = (globs, name) => globs.some((glob) => pattern(glob).test(name));

/**
 * @typedef {{ clients: string[], but?: string[], cells: string[], differs: string[], says: string }} Expected
 * `clients` and `but` are names of rows with `*`; `differs` are regular expressions for lines of `differences` and `costs`.
 */

/** @returns {Promise<Expected[]>} */
export async function expectedDifferences() {
  const all = JSON.parse(await readFile(new URL('expected.json', import.meta.url), 'utf8'));
  const document = words(await readFile(DOCUMENT, 'utf8'));
  for (const { says } of all) {
    if (!document.includes(words(says))) throw new Error(`docs/relay.md does not say: ${says}`);
  }
  return all;
}

/**
 * What is wrong with a cell: differences that nothing states, and stated ones that are not there.
 * @param {Expected[]} all @param {string} row @param {string} cell @param {string[]} lines
 */
export function judge(all, row, cell, lines) {
  const isHere = ({ clients, but = [], cells }) => isOneOf(clients, row) && !isOneOf(but, row) && cells.includes(cell);
  const stated = all.filter(isHere).flatMap(({ differs }) => differs);
  const unstated = lines.filter((line) => !stated.some((one) => new RegExp(one).test(line)));
  const gone = stated.filter((one) => !lines.some((line) => new RegExp(one).test(line)));
  return [...unstated, ...gone.map((one) => `no longer: ${one}`)];
}
