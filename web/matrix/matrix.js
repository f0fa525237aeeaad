/**
 * Runs clients directly and through the relay and compares what they saw, and what it cost. `README.md` says how to run it.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from '../browser/support/server.js';
import { CELLS } from './cells.js';
import { costs, differences, plain } from './compare.js';
import { cutter } from './cutter.js';
import { DIALECTS } from './dialects/index.js';
import { expectedDifferences, judge } from './expected.js';
import { ROWS, VARIANT_CELLS } from './rows.js';
import { HUNG, Runner } from './runner.js';
import { Run, Upstream } from './upstream.js';

/** Most of the time everybody waits. */
const AT_A_TIME = 10;
/** An upstream that was let go, or not, is at its end by then. */
const OVER_MS = 20_000;
const POLL_MS = 20;

/** All is as it comes, but for heartbeats; on the second route an answer begins before its upstream does. */
const settings = (upstream) => `
heartbeat = "1s"
[[relay]]
path = "/c"
upstream = "${upstream.url}/c"
[[relay]]
path = "/early"
upstream = "${upstream.url}/early"
commit_after = "1s"
`;

/** Every cell there is: `row` (a client and a variant), `client`, `variant`, `cell`. */
export function everyCell() {
  return Object.entries(ROWS).flatMap(([client, { dialect, variants, lacks = [], cells }]) =>
    (variants ?? DIALECTS[dialect].variants.slice(0, 1)).flatMap((variant, index) => {
      const row = index === 0 ? client : `${client} (${variant})`;
      const all = cells ?? Object.keys(CELLS).filter((name) => CELLS[name].only?.includes(dialect) ?? true);
      const names = index === 0 ? all : all.filter((name) => VARIANT_CELLS.includes(name));
      return names.filter((name) => !lacks.includes(name)).map((cell) => ({ row, client, variant, cell }));
    }),
  );
}

/**
 * @param {(cell: { row: string, cell: string }) => boolean} isWanted
 * @param {(result: Result) => void} tell
 * @returns {Promise<{ results: Result[], ignored: Record<string, string> }>}
 * @typedef {{ row: string, cell: string, lines: string[], wrong: string[], direct: any, relayed: any }} Result
 */
export async function matrix(isWanted, tell = () => {}) {
  const expected = await expectedDifferences();
  const upstream = await Upstream.start();
  const server = await Server.start({}, settings(upstream));
  const runners = await Runner.all();
  try {
    const ignored = Object.assign({}, ...runners.map(({ missing }) => missing));
    const runnerOf = (client) => runners.find(({ clients }) => clients.includes(client));
    const cells = everyCell().filter((each) => isWanted(each) && runnerOf(each.client));
    const results = await inTurn(cells, async (each) => {
      const one = (origin) => outcome(upstream, origin, runnerOf(each.client), each);
      const [direct, relayed] = await Promise.all([one(upstream.url), one(server.url)]);
      const lines = [
        ...differences(direct, relayed),
        ...costs(CELLS[each.cell], direct, relayed),
        ...unmeant(CELLS[each.cell], direct),
      ];
      const result = { ...each, lines, wrong: judge(expected, each.row, each.cell, lines), direct, relayed };
      tell(result);
      return result;
    });
    return { results, ignored };
  } finally {
    for (const runner of runners) runner.close();
    await server.kill();
    upstream.close();
  }
}

/** One client, once, one way. */
async function outcome(upstream, origin, runner, { client, variant, cell }) {
  const { script, cut, route = 'c', shared: _, only: __, ...how } = CELLS[cell];
  const run = upstream.expect(new Run(randomUUID(), DIALECTS[ROWS[client].dialect], variant, script));
  const network = cut && (await cutter(origin, cut, run.called));
  const base = `${network?.origin ?? origin}/${route}/${run.id}`;
  const headers = how.key ? { 'Idempotency-Key': run.id } : {};
  const seen = plain(await runner.run({ id: run.id, client, base, headers, ...how }), run.id);
  for (let waited = 0; !run.isOver && waited < OVER_MS; waited += POLL_MS) await sleep(POLL_MS);
  network?.close();
  return { seen, calls: run.calls.length, tokens: run.tokens };
}

/** Two equal failures are no success. */
function unmeant({ script, cut, leave }, direct) {
  if (direct.seen.some(({ error }) => error?.class === HUNG)) return ['hangs without a relay'];
  if (cut || leave || !['whole', 'slow', 'pause', 'goes on', 'slow first'].includes(script)) return [];
  const isWhole = direct.seen.every(({ events, error }) => !error && JSON.stringify(events).includes('tok11'));
  return isWhole ? [] : [`not whole without a relay: ${JSON.stringify(direct.seen.map(({ error }) => error))}`];
}

async function inTurn(all, each) {
  const results = [];
  const rest = all.entries();
  const worker = async () => {
    for (const [index, one] of rest) results[index] = await each(one);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}
