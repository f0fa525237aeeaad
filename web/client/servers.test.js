/**
 * Servers that nobody here wrote: better-sse (Node), sse-starlette (Python), nchan (nginx). Each sends thirty events with ids
 * through a site that cuts every stream sooner or later; not one is lost, none comes twice. The Rust client is judged by
 * the same programs (`crates/client/tests/foreign/`).
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from './support/launch.js';
import { NCHAN, Nginx, freePorts, missing } from './support/nginx.js';
import { Site } from './support/site.js';

const PROGRAMS = fileURLToPath(new URL('../../crates/client/tests/foreign/', import.meta.url));
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const PYTHON = process.env.SDK_PYTHON ?? fileURLToPath(new URL('../../target/sdk/venv/bin/python', import.meta.url));
const EVENTS = 30;
const wanted = Array.from({ length: EVENTS }, (_, index) => ({ number: index + 1, text: 'é\r\nand more' }));

let browser;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

/** Starts a program that prints its port. @param {string} program @param {string[]} args @param {() => void} [gone] */
async function withPort(program, args, gone = () => {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), once(child, 'exit').then(() => [])]);
  assert.ok(port, `${program} ended before it listened`);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      gone();
    },
  };
}

const servers = {
  'better-sse': {
    skip: false,
    async start() {
      // Node looks for packages where the program is.
      const folder = mkdtempSync(join(tmpdir(), 'tidewire-better-sse-'));
      copyFileSync(join(PROGRAMS, 'better-sse-server.js'), join(folder, 'server.mjs'));
      symlinkSync(MODULES, join(folder, 'node_modules'));
      return withPort(process.execPath, [join(folder, 'server.mjs')], () => rmSync(folder, { recursive: true }));
    },
  },
  'sse-starlette': {
    skip: existsSync(PYTHON) ? false : `no Python at ${PYTHON}: cargo xtask test web makes one, or set SDK_PYTHON`,
    start: () => withPort(PYTHON, [join(PROGRAMS, 'starlette_server.py')]),
  },
  nchan: {
    skip: missing(NCHAN),
    async start() {
      const [port] = await freePorts(1);
      const template = readFileSync(join(PROGRAMS, 'nginx.conf'), 'utf8').replace(/^(daemon|master_process) off;$/gm, '');
      const nginx = await Nginx.start(() => template.replace('@MODULE@', NCHAN).replace('unix:nginx.sock', `127.0.0.1:${port}`), [port]);
      const url = `http://127.0.0.1:${port}`;
      for (const event of wanted) {
        const response = await fetch(`${url}/publish`, { method: 'POST', body: JSON.stringify(event) });
        assert.ok(response.ok);
      }
      return { url, stop: () => nginx.stop() };
    },
  },
};

/** Each runs in the page, and returns the texts of so many events. */
const readers = {
  EventSource: (count) =>
    new Promise((done) => {
      const seen = [];
      const source = new window.tidewire.EventSource('/', { retry: { initial: 5, max: 20 } });
      const take = ({ data }) => {
        seen.push(data);
        // nchan goes on for ever; what comes too much is to be seen, where it can come.
        if (seen.length === count && !window.ends) done(seen);
      };
      source.onmessage = take;
      source.addEventListener('tick', take);
      source.onerror = () => source.readyState === 2 && done(seen);
    }),
  events: async (count) => {
    const seen = [];
    for await (const { data } of window.tidewire.events('/', { retry: { initial: 5, max: 20 } })) {
      seen.push(data);
      if (seen.length === count && !window.ends) break;
    }
    return seen;
  },
  fetchEventSource: async (count) => {
    const seen = [];
    const stop = new AbortController();
    await window.tidewire.fetchEventSource('/', {
      signal: stop.signal,
      end: false,
      retry: { initial: 5, max: 20 },
      onmessage: ({ data }) => {
        seen.push(data);
        if (seen.length === count && !window.ends) stop.abort();
      },
    });
    return seen;
  },
};

for (const [name, { skip, start }] of Object.entries(servers)) {
  test(`thirty events of ${name} come once each, over cuts`, { skip }, async () => {
    const server = await start();
    try {
      await Promise.all(Object.entries(readers).map(([by, read]) => readThrough(server.url, by, read, name !== 'nchan')));
    } finally {
      await server.stop();
    }
  });
}

/** @param {string} url @param {string} by @param {(count: number) => unknown} read @param {boolean} ends the server says so */
async function readThrough(url, by, read, ends) {
  const site = await Site.before(url);
  let streams = 0;
  site.cutAfter = () => 500 + 61 * (streams += 1);
  const page = await (await browser.newContext()).newPage();
  try {
    await page.goto(`${site.url}/page`);
    await page.waitForFunction(() => 'tidewire' in window);
    await page.evaluate((ends) => Object.assign(window, { ends }), ends);
    const seen = await page.evaluate(read, EVENTS);
    assert.deepEqual(seen.map((data) => JSON.parse(data)), wanted, by);
    assert.ok(streams > 3, `${by}: only ${streams} streams`);
    assert.equal(site.mostOpen, 1, by);
  } finally {
    await page.context().close();
    site.close();
  }
}
