/**
 * The table of `docs/browser.md` that says what each client does is what they did here: every one in every situation, in
 * Chromium. A cell that is wrong fails; the failure prints the table as it was measured.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { launch } from './support/launch.js';
import { situations } from './support/situations.js';

const DOCUMENT = readFileSync(new URL('../../docs/browser.md', import.meta.url), 'utf8');
const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** In the order of the table, with the package where there is one, and what a page imports of it. */
const CLIENTS = {
  tidewire: { package: 'tidewire', imports: 'EventSource' },
  'EventSource of browsers': {},
  'fetch-event-source': { package: '@microsoft/fetch-event-source', imports: 'fetchEventSource' },
  'sse.js': { package: 'sse.js', imports: 'SSE' },
  eventsource: { package: 'eventsource', imports: 'EventSource' },
  'eventsource-client': { package: 'eventsource-client', imports: 'createEventSource' },
  'event-source-plus': { package: 'event-source-plus', imports: 'EventSourcePlus' },
};
/** Who asks no more for so many rounds, each with a pause and a connection, is done; all have been told to wait 20 ms. */
const ROUNDS = 5;
const ROUND_MS = 400;
/** Browsers open six connections to an origin. */
const AT_A_TIME = 6;
/** Who asks so often asks for ever. */
const OFTEN = 6;

/** What is known of one client in one situation. */
class Entry {
  /** @type {import('./support/situations.js').Asked[]} */
  asked = [];
  /** Its page was handed an event. */
  handed = new Promise((done) => (this.hand = done));
  #tell = () => {};
  /** Resolves when it asks the next time, or is handed something; then there is another one. */
  heard = this.#next();

  hear() {
    const tell = this.#tell;
    this.heard = this.#next();
    tell();
  }

  #next() {
    return new Promise((done) => (this.#tell = done));
  }
}

/** By host and situation. @type {Map<string, Entry>} */
const log = new Map();
let program;
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname === '/program.js') return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(program);
  if (pathname === '/page') {
    const text = '<!doctype html><meta charset="utf-8"><title>x</title><link rel="icon" href="data:,"><script type="module" src="/program.js"></script>';
    return response.writeHead(200, { 'Content-Type': 'text/html' }).end(text);
  }
  // A connection of its own.
  if (pathname === '/ping') return response.writeHead(200, { Connection: 'close' }).end();
  const title = decodeURIComponent(pathname.slice(1));
  const situation = situations[title];
  const entry = log.get(`${request.headers.host.split('.')[0]} ${title}`);
  if (!situation || !entry) return response.destroy();
  const parts = [];
  for await (const part of request) parts.push(part);
  const cursor = request.headers['last-event-id'];
  entry.asked.push({
    method: request.method,
    body: Buffer.concat(parts).toString(),
    cursor: cursor && Buffer.from(`${cursor}`, 'latin1').toString(),
    own: request.headers['x-own'],
    at: performance.now(),
  });
  entry.hear();
  if (entry.asked.length <= OFTEN) situation.answer(response, entry.asked.length, entry.handed);
});

let browser, context;
before(async () => {
  const entry = fileURLToPath(new URL('programs/clients.js', import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'esm', target: 'es2022' });
  program = outputFiles[0].text;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  browser = await launch();
  context = await browser.newContext();
  await context.exposeFunction('handed', (index, title) => {
    const entry = log.get(`c${index} ${title}`);
    entry?.hand();
    entry?.hear();
  });
});
after(async () => {
  await browser?.close();
  server.closeAllConnections();
  server.close();
});

/** @param {number} index @param {string} title */
function begin(index, title) {
  const entry = new Entry();
  log.set(`c${index} ${title}`, entry);
  return entry;
}

/**
 * The page has had time to ask again, if it wanted to: timers ran out, and connections were made, one after the other. On
 * a busy machine this takes as much longer as asking does. @returns {Promise<boolean>} false: the page is gone
 */
function hasHadTime(page, index) {
  const wait = async ([url, rounds, ms]) => {
    for (let round = 0; round < rounds; round += 1) {
      await new Promise((done) => setTimeout(done, ms));
      await fetch(url, { mode: 'no-cors', cache: 'no-store' });
    }
    return true;
  };
  const url = `http://ping${index}.localhost:${server.address().port}/ping`;
  return page.evaluate(wait, [url, ROUNDS, ROUND_MS]).catch(() => false);
}

const origin = (index) => `http://c${index}.localhost:${server.address().port}`;

/** One client in one situation. */
async function meet(page, name, index, title) {
  const { options = {}, hides, enough = () => false, word } = situations[title];
  const entry = begin(index, title);
  const outcome = async () => ({ asked: entry.asked, ...(await page.evaluate((title) => window.outcomes[title], title)) });
  const untilClear = async () => {
    while (entry.asked.length <= OFTEN && !enough(await outcome())) {
      const { heard } = entry;
      const isQuiet = await Promise.race([heard.then(() => false), hasHadTime(page, index)]);
      if (isQuiet && entry.asked.length > 0 && entry.heard === heard) return;
    }
  };
  await page.evaluate(
    ([name, index, title, options]) => {
      const outcome = { seen: [], failed: [] };
      (window.outcomes ??= {})[title] = outcome;
      const message = (data) => {
        outcome.seen.push(data);
        void window.handed(index, title);
      };
      window.clients[name](`/${encodeURIComponent(title)}`, options, { message, failed: (status) => void outcome.failed.push(status ?? null) });
    },
    [name, index, title, options],
  );
  if (hides) {
    await entry.handed;
    for (const isHidden of [true, false]) {
      await page.evaluate((isHidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event('visibilitychange'));
      }, isHidden);
    }
  }
  await untilClear();
  return word(await outcome());
}

/** What the document says of a client. @returns {Map<string, string>} */
function saidOf(index) {
  const rows = DOCUMENT.matchAll(/^\| ([^|]+) \|(.*) \|$/gm);
  return new Map([...rows].map(([, title, cells]) => [title, cells.split(' |')[index]?.trim()]));
}

async function column(name, index) {
  const titles = Object.keys(situations);
  const shown = titles.filter((title) => !situations[title].hides);
  const groups = Array.from({ length: Math.ceil(shown.length / AT_A_TIME) }, (_, group) => shown.slice(group * AT_A_TIME, (group + 1) * AT_A_TIME));
  const words = new Map();
  const page = await context.newPage();
  const measure = async (group) => {
    // Anew each time: what still asks, or holds a connection that the page would wait for, is gone.
    await page.goto('about:blank');
    await page.goto(`${origin(index)}/page`);
    await page.waitForFunction(() => 'clients' in window);
    await Promise.all(group.map(async (title) => words.set(title, await meet(page, name, index, title))));
  };
  for (const group of groups) await measure(group);
  for (const title of titles.filter((title) => situations[title].hides)) await measure([title]);
  // Some words hang on times, and a busy machine may stand still: what is not as documented is measured again, alone.
  const said = saidOf(index);
  for (const title of titles.filter((title) => words.get(title) !== said.get(title))) await measure([title]);
  words.set('in a worker', await inWorker(page, name, index));
  await page.close();
  return words;
}

async function inWorker(page, name, index) {
  const title = 'a block without data';
  begin(index, title);
  await page.goto('about:blank');
  await page.goto(`${origin(index)}/page`);
  return page.evaluate(
    ([name, url]) =>
      new Promise((done) => {
        const worker = new Worker('/program.js', { type: 'module' });
        worker.onmessage = ({ data }) => done(data === null ? 'no' : 'yes');
        worker.onerror = () => done('no');
        worker.postMessage([name, url]);
      }),
    [name, `${origin(index)}/${encodeURIComponent(title)}`],
  );
}

/** In KiB, minified and gzipped, as a page that imports this one thing would have it. */
async function size({ package: from, imports }) {
  if (!from) return NaN;
  const stdin = { contents: `export { ${imports} } from '${from}'`, resolveDir: FOLDER };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, minify: true, format: 'esm', target: 'es2022', conditions: ['browser'] });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length / 1024;
}

const row = (cells) => `| ${cells.join(' | ')} |`;

test('the table of what each client does is what they did', async () => {
  const columns = await Promise.all(Object.keys(CLIENTS).map(column));
  const titles = [...Object.keys(situations), 'in a worker'];
  const measured = titles.map((title) => row([title, ...columns.map((words) => words.get(title))]));
  const documented = /<!-- measured -->\n\|.*\n\|.*\n([^]*?)\n\| size/.exec(DOCUMENT)?.[1].split('\n');
  assert.deepEqual(documented, measured, `docs/browser.md is to say:\n${measured.join('\n')}`);
});

test('the sizes are what they say', async () => {
  const cells = /^\| size, minified and gzipped \| (.*) \|$/m.exec(DOCUMENT)[1].split(' | ');
  const alone = /`fetchEventSource` alone takes (\S+) KiB, its namesake (\S+)\. /.exec(DOCUMENT);
  const said = [...cells, alone[1], alone[2]].map(parseFloat);
  const imports = { package: 'tidewire', imports: 'fetchEventSource' };
  const sizes = await Promise.all([...Object.values(CLIENTS), imports, CLIENTS['fetch-event-source']].map(size));
  // Versions of gzip differ in some bytes.
  const isRight = said.every((said, index) => Number.isNaN(sizes[index]) || Math.abs(said - sizes[index]) < 0.1);
  assert.ok(isRight && said.length === sizes.length, `docs/browser.md is to say: ${sizes.map((size) => size.toFixed(1)).join(' | ')}`);
});

test('the versions are those that were looked at', () => {
  for (const [name, { package: from }] of Object.entries(CLIENTS)) {
    if (!from || from === 'tidewire') continue;
    const { version } = JSON.parse(readFileSync(new URL(`../node_modules/${from}/package.json`, import.meta.url), 'utf8'));
    assert.match(DOCUMENT, new RegExp(`\\b${name} ${version}[,.]`), `${name} ${version}`);
  }
});
