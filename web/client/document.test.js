/**
 * What `docs/browser.md` shows is run, what it says is tested where it says so, and what others' options become is said of
 * all of them.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { browser, openPage, publish, server, site } from './support/setup.js';

const ROOT = new URL('../../', import.meta.url);
const DOCUMENT = readFileSync(new URL('docs/browser.md', ROOT), 'utf8');
const WEB = fileURLToPath(new URL('..', import.meta.url));

const blocks = new Map([...DOCUMENT.matchAll(/^```(jsx?) name=(\S+)\n([^]*?)^```$/gm)].map(([, language, name, text]) => [name, { language, text }]));

/** A page that runs a block, and what it prints. */
class Run {
  /** @type {string[]} */
  printed = [];
  #wake = () => {};

  static async begin(name, change = (text) => text) {
    const run = new Run();
    run.page = await openPage();
    run.page.on('console', (message) => message.type() === 'log' && run.#print(message.text()));
    run.page.on('pageerror', (error) => run.#print(`failed: ${error.message}`));
    await run.start(name, change);
    return run;
  }

  async start(name, change = (text) => text) {
    // Not waited for: it ends with its stream.
    await this.page.evaluate((content) => {
      const script = Object.assign(document.createElement('script'), { type: 'module', textContent: content });
      document.head.append(script);
    }, change(blocks.get(name).text));
  }

  #print(text) {
    this.printed.push(text);
    this.#wake();
  }

  /** Waits until it has printed these lines. @param {string[]} wanted */
  async prints(...wanted) {
    while (this.printed.length < wanted.length) await new Promise((done) => (this.#wake = done));
    assert.deepEqual(this.printed, wanted);
  }

}

afterEach(async () => {
  site.answer = () => false;
  site.cutAfter = () => Infinity;
  for (const context of browser.contexts()) await context.close();
  await untilOpen(0);
});

async function untilOpen(count) {
  while (site.open !== count) await new Promise((done) => setTimeout(done, 10));
}

/** @type {Record<string, () => Promise<void>>} */
const scenes = {
  async 'drop-in'() {
    const run = await Run.begin('drop-in');
    await untilOpen(1);
    await publish('gold', '1');
    await publish('gold', '{"eur":2}', 'event=price');
    await run.prints('event 1 true', 'price 2');
    // What is published meanwhile is gone when it comes back.
    const held = [];
    site.answer = (_, response) => held.push(response) > 0;
    site.cut();
    await run.prints('event 1 true', 'price 2', 'again: cut');
    await publish('gold', 'gone');
    assert.ok((await fetch(`${server.url}/events/gold`, { method: 'DELETE' })).ok);
    while (held.length === 0) await new Promise((done) => setTimeout(done, 10));
    site.answer = () => false;
    held[0].destroy();
    await run.prints('event 1 true', 'price 2', 'again: cut', 'again: network', 'lost expired');
    await publish('gold', '3', 'end=true');
    await run.prints('event 1 true', 'price 2', 'again: cut', 'again: network', 'lost expired', 'event 3 true', 'again: cut', 'over');
  },
  async options() {
    site.requests = [];
    const run = await Run.begin('options');
    await untilOpen(1);
    await publish('prices', '1');
    await run.prints('prices 1');
    site.cut();
    await publish('news', '2');
    await run.prints('prices 1', 'cut: again in less than a second', 'news 2');
    assert.deepEqual(site.requests.map(({ headers }) => headers.authorization), ['Bearer token-1', 'Bearer token-2']);
  },
  async loop() {
    await publish('build', 'lexer', 'event=step');
    await publish('build', 'well', 'event=done');
    const run = await Run.begin('loop');
    await run.prints('step lexer', 'done well', '200 text/event-stream; charset=utf-8');
  },
  async answer() {
    const ask = { model: 'demo', metadata: { cps: '1000000' }, messages: [{ role: 'user', content: 'Why is the sky blue?' }] };
    const headers = { 'Content-Type': 'application/json' };
    const whole = await fetch(`${server.url}/demo/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(ask) });
    let streams = 0;
    site.cutAfter = () => ((streams += 1) > 2 ? Infinity : 3000);
    site.asked = [];
    const run = await Run.begin('answer', (text) => text.replace("model: 'demo'", "model: 'demo', metadata: { cps: '2000' }"));
    await run.prints((await whole.json()).choices[0].message.content);
    assert.ok(streams > 2);
    assert.equal(site.asked.filter((line) => line.startsWith('POST ')).length, 1);
  },
  async errors() {
    const run = await Run.begin('errors');
    await run.prints('status 404 not_found', 'AbortError');
  },
  async reload() {
    await publish('log', '1');
    const run = await Run.begin('reload');
    await run.prints('1');
    await publish('log', '2');
    await run.prints('1', '2');
    await run.page.reload();
    await publish('log', '3');
    await run.start('reload');
    await run.prints('1', '2', '3');
  },
  async bytes() {
    const bytes = new Uint8Array(5000).fill(7);
    await publish('images', `data:application/gzip;base64,${gzipSync(bytes).toString('base64')}`);
    const run = await Run.begin('bytes');
    await run.prints('5000 7');
  },
  async tabs() {
    site.asked = [];
    const run = await Run.begin('tabs');
    const reads = (line) => JSON.stringify(new URL(line.slice(4), site.url).searchParams.getAll('topic').sort()) === '["mail/ann","weather"]';
    while (!site.asked.some(reads) || site.open !== 1) await new Promise((done) => setTimeout(done, 10));
    await publish('news', 'no');
    await publish('weather', 'sun');
    await publish('mail/ann', 'hello');
    await run.prints('weather sun', 'mail/ann hello');
  },
  async react() {
    const contents = `${blocks.get('react').text}
      import { createRoot } from 'react-dom/client';
      const body = JSON.stringify({ model: 'demo', stream: true, metadata: { cps: '1000000' }, messages: [{ role: 'user', content: 'hi' }] });
      createRoot(document.querySelector('main')).render(<><Price /><Answer body={body} /></>);`;
    const define = { 'process.env.NODE_ENV': '"production"' };
    const { outputFiles } = await build({ stdin: { contents, loader: 'jsx', resolveDir: WEB }, bundle: true, write: false, format: 'esm', jsx: 'automatic', define });
    const page = await openPage();
    await page.addScriptTag({ type: 'module', content: outputFiles[0].text });
    const text = (number) => `document.querySelectorAll('p')[${number}]?.textContent`;
    await page.waitForFunction(`${text(0)} === '' && ${text(1)}.length > 20 && !${text(1)}.endsWith('▍')`);
    await publish('ticker', '42');
    await page.waitForFunction(`${text(0)} === '42'`);
  },
  async moving() {
    await publish('finite', '1');
    await publish('finite', '2', 'event=tick&end=true');
    const run = await Run.begin('moving');
    await run.prints('message 1', 'tick 2', 'closed');
  },
  async 'sse.js'() {
    await publish('jobs', '1');
    const run = await Run.begin('sse.js');
    await run.prints('200', '1 true');
  },
};

for (const name of blocks.keys()) {
  test(`the program "${name}" does what it says`, () => scenes[name]());
}
test('every program is run', () => {
  assert.deepEqual([...blocks.keys()].sort(), Object.keys(scenes).sort());
  assert.equal(DOCUMENT.match(/^```jsx?/gm)?.length, blocks.size);
});

test("retry: { attempts: 0 } asks once, and a fetch of one's own can leave out the id", async () => {
  const page = await openPage();
  await publish('once', '1');
  site.requests = [];
  const over = page.evaluate(
    () =>
      new Promise((done) => {
        const source = new window.tidewire.EventSource('/events/once?last_event_id=earliest', { retry: { attempts: 0 } });
        source.onmessage = () => (window.hasBegun = true);
        source.onerror = ({ error }) => done([source.readyState, error.code]);
      }),
  );
  const begun = () => page.waitForFunction(() => window.hasBegun);
  await begun();
  site.cut();
  assert.deepEqual(await over, [2, 'cut']);
  assert.equal(site.requests.length, 1);

  const twice = page.evaluate(
    () =>
      new Promise((done) => {
        window.hasBegun = false;
        const own = (url, init) => (init.headers.delete('Last-Event-ID'), fetch(url, init));
        const source = new window.tidewire.EventSource('/events/once?last_event_id=earliest', { fetch: own });
        const seen = [];
        source.onmessage = ({ data }) => (window.hasBegun = true) && seen.push(data) === 2 && done(seen);
      }),
  );
  await begun();
  site.cut();
  assert.deepEqual(await twice, ['1', '1']);
  assert.deepEqual(site.requests.map(({ headers }) => headers['last-event-id']), [undefined, undefined, undefined]);
});

test('the tests that the document names are there, and every row of what it does names one', () => {
  let named = 0;
  for (const [, comment] of DOCUMENT.matchAll(/<!-- tested: ([^]*?) -->/g)) {
    for (const [, file, titles] of comment.matchAll(/(web\/\S+)((?:\s+"(?:[^"\\]|\\.)*")+)/g)) {
      const text = readFileSync(new URL(file, ROOT), 'utf8');
      for (const [, title] of titles.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
        assert.ok(text.includes(title), `${file}: ${title}`);
        named += 1;
      }
    }
  }
  assert.ok(named > 40, `${named}`);
  const rows = /## How it behaves\n\n\|.*\n\|.*\n([^]*?)\n\n/.exec(DOCUMENT)[1].split('\n');
  for (const row of rows) assert.match(row, /<!-- tested: /);
});

test('each option of ours has its row', () => {
  const source = readFileSync(new URL('web/tidewire/src/options.ts', ROOT), 'utf8');
  const options = [...source.matchAll(/^ {2}(\w+)\?:/gm)].map(([, option]) => option);
  assert.ok(options.length > 10, `${options}`);
  const section = /## Options\n([^]*?)\n## /.exec(DOCUMENT)[1];
  const named = section.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ')[0]).join('\n');
  for (const option of options) assert.match(named, new RegExp(`\`${option}\``), option);
});

/** Where a package declares its options, and the section that says what becomes of them. */
const OPTIONS = {
  'fetch-event-source': ['@microsoft/fetch-event-source/lib/esm/fetch.d.ts', /interface FetchEventSourceInit[^{]*\{([^]*?)^\}/m],
  'sse.js': ['sse.js/types/sse.d.ts', /type SSEOptions = \{([^]*?)^\};/m],
  eventsource: ['eventsource/dist/types.d.ts', /interface EventSourceInit \{([^]*?)^\}/m],
  'event-source-plus': ['event-source-plus/dist/index.d.mts', /interface EventSourcePlusOptions [^{]*\{([^]*?)^\}/m],
  'eventsource-client': ['eventsource-client/dist/default.d.ts', /interface EventSourceOptions \{([^]*?)^\}/m],
};

for (const [name, [file, declaration]] of Object.entries(OPTIONS)) {
  test(`each option of ${name} has its place in the table`, () => {
    const [, body] = declaration.exec(readFileSync(new URL(`../node_modules/${file}`, import.meta.url), 'utf8'));
    const options = [...body.replace(/\/\*[^]*?\*\//g, '').matchAll(/^ *(?:readonly )?(\w+)\??:/gm)].map(([, option]) => option);
    assert.ok(options.length > 2, body);
    const section = new RegExp(`### From ${name}\n([^]*?)\n##`).exec(DOCUMENT)[1];
    const left = section.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ')[0]).join('\n');
    for (const option of options) assert.match(left, new RegExp(`\`${option}\\b`), option);
  });
}
