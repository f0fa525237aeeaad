/** The built package on Node, Deno and Bun: one program, the same outcome, through a proxy that cuts. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Server } from '../browser/support/server.js';
import { Site } from './support/site.js';

const PROGRAM = fileURLToPath(new URL('programs/everywhere.mjs', import.meta.url));
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const EVENTS = 100;

const settings = { TIDEWIRE_RETRY: '50ms' };
const server = await Server.start(settings);
const site = await Site.before(server.url);
const folder = await mkdtemp(join(tmpdir(), 'tidewire-runtimes-'));
after(async () => {
  site.close();
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

/**
 * A program that an npm package for this platform brings along, or where that package's own script puts it.
 * @param {string} scope @param {string} path @param {string} [moved]
 */
function installed(scope, path, moved = '') {
  const packages = existsSync(join(MODULES, scope)) ? readdirSync(join(MODULES, scope)) : [];
  const places = packages.map((name) => join(MODULES, scope, name, path));
  return [...places, ...(moved && packages.length > 0 ? [join(MODULES, moved)] : [])].find((file) => existsSync(file));
}

const runtimes = {
  Node: { program: process.execPath, args: [] },
  Deno: { program: installed('@deno', 'deno'), args: ['run', '--no-config', '--no-remote', '--allow-net', '--allow-read'] },
  Bun: { program: installed('@oven', 'bin/bun', 'bun/bin/bun.exe'), args: ['run'] },
};

const lines = Array.from({ length: EVENTS }, (_, number) => ({ id: `第${number}`, event: 'tick', data: `${number} 🌊` }));
const headers = { 'Content-Type': 'application/x-ndjson' };
const filled = await fetch(`${server.url}/events/ids?end=true`, { method: 'POST', headers, body: lines.map((line) => JSON.stringify(line)).join('\n') });
assert.ok(filled.ok);
const wanted = lines.map(({ id, data }) => `${id} ${data}`);
const question = { model: 'demo', messages: [{ role: 'user', content: 'hi' }], metadata: { cps: '1000000' } };
const whole = await fetch(`${server.url}/demo/v1/chat/completions`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(question),
});
const answer = (await whole.json()).choices[0].message.content;

for (const [name, { program, args }] of Object.entries(runtimes)) {
  const skip = program ? false : `${name} is not installed for this platform`;
  test(`${name}: ids, cuts, POST, an answer of the relay, refusals, abort, bytes`, { skip }, async () => {
    site.asked = [];
    let streams = 0;
    // Every fourth stream may live on, so that all end.
    site.cutAfter = () => ((streams += 1) % 4 === 0 ? Infinity : 300 + 500 * (streams % 4));
    const env = { ...process.env, DENO_DIR: folder, HOME: folder, NO_COLOR: '1' };
    const { stdout } = await promisify(execFile)(program, [...args, PROGRAM, site.url], { env, cwd: folder, timeout: 60_000 });
    const seen = JSON.parse(stdout);
    assert.deepEqual(seen.iterated, wanted);
    assert.deepEqual(seen.dispatched, wanted);
    assert.deepEqual(seen.posted, wanted);
    assert.equal(seen.answer, answer);
    assert.deepEqual(seen.refused, ['status', 404, 'not_found']);
    assert.equal(seen.aborted, 'AbortError');
    assert.equal(seen.bytes, 5000);
    assert.ok(streams > 8, `${streams} streams`);
    // The question was asked once, and its answer read by its name.
    assert.equal(site.asked.filter((line) => line === 'POST /v1/chat/completions').length, 1);
    assert.ok(site.asked.some((line) => line.startsWith('GET /relay/')));
    assert.equal(site.mostOpen, 1);
  });
}
