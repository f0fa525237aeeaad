/** The package as it is packed from a clean checkout: modules, types, and what bundlers make of it, in a page. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import * as vite from 'vite';
import webpack from 'webpack';
import { launch } from './support/launch.js';
import { Project, WEB, run as runIn } from './support/packed.js';

const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** Where the project is that has the packed package, and what else it needs. */
let project;
/** @type {string[]} */
let packed;
/** @type {Project} */
let made;

/** @param {string} command @param {string[]} parts */
const run = (command, parts) => runIn(command, parts, project);

before(() => {
  made = new Project(false);
  ({ path: project, packed } = made);
  for (const name of ['react', '@types/react', 'csstype']) made.link(name);
  for (const name of ['app.js', 'page.tsx']) made.copy(`${FIXTURES}${name}`);
  // Once as a module, once as CommonJS.
  for (const name of ['strict.mts', 'strict.cts', 'strict.ts']) made.copy(`${FIXTURES}strict.ts`, name);
});
after(() => made.remove());

test('a clean checkout packs all that the exports name, the licences, and no sources', () => {
  const { exports, repository, keywords, license } = JSON.parse(readFileSync(`${project}/node_modules/tidewire/package.json`, 'utf8'));
  /** @param {unknown} entry @returns {string[]} */
  const files = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(files));
  for (const file of files(exports)) assert.ok(existsSync(`${project}/node_modules/tidewire/${file}`), file);
  for (const file of ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE']) assert.ok(packed.includes(file), file);
  assert.ok(packed.every((file) => /^(dist\/.*\.(js|d\.ts|json)|README\.md|LICENSE-\w+|package\.json)$/.test(file)), `${packed}`);
  assert.ok(repository.url && keywords.length > 3 && license);
  for (const file of ['LICENSE-MIT', 'LICENSE-APACHE']) assert.equal(readFileSync(`${WEB}tidewire/${file}`, 'utf8'), readFileSync(`${WEB}../${file}`, 'utf8'));
});

const PROGRAM = `
  server.listen(0, '127.0.0.1', async () => {
    const url = 'http://127.0.0.1:' + server.address().port;
    for await (const { data } of events(url)) console.log(data, typeof SharedEventSource, typeof useEventSource);
    server.close();
  });`;
const SERVER = `createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/event-stream', Connection: 'close' }).end('data: [DONE]\\n\\n'))`;

test('Node imports it as a module, and requires it as CommonJS', () => {
  const imports = `import { createServer } from 'node:http'; import { events } from 'tidewire'; import { SharedEventSource } from 'tidewire/shared'; import { useEventSource } from 'tidewire/react';`;
  const requires = `const { createServer } = require('node:http'); const { events } = require('tidewire'); const { SharedEventSource } = require('tidewire/shared'); const { useEventSource } = require('tidewire/react');`;
  for (const [name, head] of [['program.mjs', imports], ['program.cjs', requires]]) {
    writeFileSync(`${project}/${name}`, `${head} const server = ${SERVER}; ${PROGRAM}`);
    assert.equal(run(process.execPath, [name]).trim(), '[DONE] function function', name);
  }
});

test('types resolve for modules and CommonJS under node16, and for bundlers; ours stands in the place of the global EventSource', () => {
  const common = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2023,dom,dom.iterable,dom.asynciterable', '--jsx', 'react-jsx', '--types', 'react'];
  const tsc = `${WEB}node_modules/typescript/bin/tsc`;
  for (const [files, ...options] of [
    [['strict.mts', 'strict.cts'], '--module', 'node16'],
    [['strict.mts', 'strict.cts'], '--module', 'nodenext', '--exactOptionalPropertyTypes'],
    [['strict.ts', 'page.tsx'], '--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    try {
      run(process.execPath, [tsc, ...common, ...options, ...files]);
    } catch (error) {
      assert.fail(`${options}: ${error.stdout}`);
    }
  }
});

/** How each bundler builds a page with `tidewire/shared` into a folder. */
const BUNDLERS = {
  async vite(out) {
    writeFileSync(`${project}/index.html`, '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./app.js"></script>');
    await vite.build({ root: project, logLevel: 'error', build: { outDir: out } });
  },
  async webpack(out) {
    const compiler = webpack({ mode: 'production', context: project, entry: './app.js', output: { path: out, filename: 'app.js', publicPath: '/' } });
    const stats = await new Promise((done, fail) => compiler.run((error, stats) => (error ? fail(error) : done(stats))));
    assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());
  },
  // It follows no address of a worker: the script is an entry of its own, beside the page's.
  async esbuild(out) {
    const { warnings } = await esbuild.build({
      entryPoints: { app: `${project}/app.js`, worker: 'tidewire/shared/worker' },
      absWorkingDir: project,
      bundle: true,
      format: 'esm',
      outdir: out,
      logLevel: 'silent',
    });
    assert.deepEqual(warnings, []);
  },
};

for (const [name, build] of Object.entries(BUNDLERS)) {
  test(`${name} builds a page with tidewire/shared, which reads by a shared worker`, async () => {
    const out = `${project}/out-${name}`;
    await build(out);
    const files = readdirSync(out, { recursive: true }).map(String).filter((file) => file.endsWith('.js'));
    assert.ok(files.length >= 2, `${files}`);
    const asked = [];
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url, 'http://a');
      asked.push(pathname);
      if (pathname === '/events') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('id: 1\ntopic: a\ndata: it works\n\n');
      } else if (pathname === '/') {
        const html = existsSync(`${out}/index.html`) ? readFileSync(`${out}/index.html`) : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/app.js"></script>';
        response.writeHead(200, { 'Content-Type': 'text/html' }).end(html);
      } else if (existsSync(out + pathname)) response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(readFileSync(out + pathname));
      else response.writeHead(404).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const browser = await launch();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      await page.waitForFunction(() => document.title === 'it works', null, { timeout: 30_000 });
      // The page's script and the worker's; none was missing.
      assert.ok(asked.filter((path) => path.endsWith('.js')).every((path) => existsSync(out + path)), `${asked}`);
      assert.ok(asked.some((path) => /worker|\d+.*\.js/.test(path)), `${asked}`);
    } finally {
      await browser.close();
      server.closeAllConnections();
      server.close();
    }
  });
}
