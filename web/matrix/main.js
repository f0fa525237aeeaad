/**
 * `node matrix/main.js [ROW [CELL]]`: prints the matrix, and fails if it is not as `expected.json` says. Both are regular
 * expressions.
 */

import { CELLS } from './cells.js';
import { matrix } from './matrix.js';

const [row = '', cell = ''] = process.argv.slice(2).map((text) => new RegExp(text));
const isWanted = (each) => (!row || row.test(each.row)) && (!cell || cell.test(each.cell));

const say = (line) => process.stdout.write(`${line}\n`);
const cost = ({ direct, relayed }) =>
  `calls ${direct.calls} → ${relayed.calls}, tokens ${direct.tokens} → ${relayed.tokens}`;
const isCheaper = ({ direct, relayed }) => relayed.calls < direct.calls || relayed.tokens < direct.tokens;

/** @param {import('./matrix.js').Result} result */
function verdict(result) {
  if (result.wrong.some((line) => /dearer/.test(line))) return 'DEARER';
  if (result.wrong.length > 0) return 'DIFFERS';
  if (result.lines.length > 0) return 'stated';
  return isCheaper(result) ? 'cheaper' : 'same';
}

const { results, ignored } = await matrix(isWanted, (result) => {
  say(`${verdict(result).padEnd(8)} ${result.row}: ${result.cell}: ${cost(result)}`);
  for (const line of result.lines) say(`         ${result.wrong.includes(line) ? '!' : ' '} ${line}`);
  for (const line of result.wrong) if (!result.lines.includes(line)) say(`         ! ${line}`);
});

say('');
for (const [name, why] of Object.entries(ignored)) say(`ignored  ${name}: ${why}`);
const rows = [...new Set(results.map((result) => result.row))];
for (const name of rows) {
  const told = results.filter((result) => result.row === name).map((result) => `${result.cell} ${verdict(result)}`);
  say(`${name}: ${told.join(', ')}`);
}
const wrong = results.filter((result) => result.wrong.length > 0);
const counted = `${results.length} cells of ${Object.keys(CELLS).length} kinds and ${rows.length} rows`;
say(`${counted}, ${wrong.length} not as they should be`);
process.exitCode = results.length > 0 && wrong.length === 0 ? 0 : 1;
