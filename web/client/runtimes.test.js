/** The packed package on Node, Deno, Bun, workerd, Chromium and Firefox: one program, the same outcome, through a proxy that cuts. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import { Server } from '../browser/support/server.js';
import { Firefox, missing } from './support/firefox.js';
import { launch } from './support/launch.js';
import { Project, WEB } from './support/packed.js';
import { Site } from './support/site.js';
import { ask } from './support/workerd.js';

const MODULES = `${WEB}node_modules`;
const EVENTS = 100;

// The pages are the site's, which is another origin.
const settings = { TIDEWIRE_RETRY: '50ms', TIDEWIRE_CORS_ORIGINS: '*' };
const server = await Server.start(settings);
const site = await Site.before(server.url);
const project = new Project(true);
for (const name of ['everywhere', 'process', 'worker']) project.copy(fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url)));
after(async () => {
  site.close();
  await server.kill();
  project.remove();
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

/** @param {string | undefined} program @param {string} [first] arguments before the program's own */
function runtime(program, first = '') {
  const args = [...first.split(' ').filter(Boolean), `${project.path}/process.mjs`];
  const env = { ...process.env, DENO_DIR: `${project.path}/deno`, HOME: project.path, NO_COLOR: '1' };
  return {
    program,
    run: async (url) => {
      const { stdout } = await promisify(execFile)(program, [...args, url], { env, cwd: project.path, timeout: 120_000 });
      return JSON.parse(stdout);
    },
  };
}

/** One script of a program. @param {string} name @param {esbuild.BuildOptions} options */
async function script(name, options) {
  const { outputFiles } = await esbuild.build({ entryPoints: [`${project.path}/${name}.mjs`], absWorkingDir: project.path, bundle: true, ...options, write: false });
  return outputFiles[0].text;
}
const forPages = () => script('everywhere', { format: 'iife', globalName: 'program', target: 'es2022' });
const inPage = (url) => `program.everywhere(${JSON.stringify(url)})`;

const runtimes = {
  Node: runtime(process.execPath),
  Deno: runtime(installed('@deno', 'deno'), 'run --node-modules-dir=manual --no-remote --allow-net --allow-read'),
  Bun: runtime(installed('@oven', 'bin/bun', 'bun/bin/bun.exe'), 'run'),
  workerd: {
    program: installed('@cloudflare', 'bin/workerd'),
    async run(url) {
      const worker = await script('worker', { format: 'esm', conditions: ['workerd', 'worker', 'browser'] });
      return ask(this.program, project.path, worker, `site=${encodeURIComponent(url)}`);
    },
  },
  Chromium: {
    program: 'found by launch',
    run: async (url) => {
      const browser = await launch();
      try {
        const page = await browser.newPage();
        await page.goto(`${url}/blank`);
        await page.evaluate(await forPages());
        return await page.evaluate(inPage(url));
      } finally {
        await browser.close();
      }
    },
  },
  Firefox: {
    program: missing() ? undefined : 'found by start',
    run: async (url) => {
      const firefox = await Firefox.start();
      try {
        return await firefox.run(`${url}/blank`, await forPages(), inPage(url));
      } finally {
        await firefox.close();
      }
    },
  },
};

site.answer = (request, response) => {
  if (request.url !== '/blank') return false;
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><link rel="icon" href="data:,">');
  return true;
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

for (const [name, runtime] of Object.entries(runtimes)) {
  const skip = runtime.program ? false : (name === 'Firefox' && missing()) || `${name} is not installed for this platform`;
  test(`${name}: ids, cuts, POST, an answer of the relay, refusals, abort, bytes`, { skip }, async () => {
    site.asked = [];
    site.mostOpen = 0;
    let streams = 0;
    // Every fourth stream may live on, so that all end.
    site.cutAfter = () => ((streams += 1) % 4 === 0 ? Infinity : 300 + 500 * (streams % 4));
    const seen = await runtime.run(site.url);
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
