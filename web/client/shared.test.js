/** Many tabs, one connection: by a shared worker, or by one of the tabs; and the package in workers. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { browser, openPage, publish, site } from './support/setup.js';

const TABS = 8;

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  while (site.open > 0) await new Promise((done) => setTimeout(done, 10));
  site.mostOpen = 0;
  site.asked = [];
});

/** @param {import('playwright-core').Page} page @param {string[]} topics @param {'worker' | 'leader'} by @param {string} [worker] */
async function join(page, topics, by, worker) {
  await page.evaluate(async ([topics, by, worker]) => {
    const { SharedEventSource } = await import('/package/shared/index.js');
    Object.assign(window, { seen: [], opened: 0 });
    const source = new SharedEventSource('/events', { topics, by, worker });
    source.onmessage = ({ data, topics }) => window.seen.push(`${topics} ${data}`);
    source.onopen = () => (window.opened += 1);
    window.source = source;
  }, /** @type {const} */ ([topics, by, worker]));
  await page.waitForFunction(() => window.source.readyState === 1);
}

/** Waits until the connection of all reads exactly these topics. @param {string[]} topics */
async function untilReading(topics) {
  const wanted = JSON.stringify([...topics].sort());
  for (;;) {
    const last = new URL(site.asked.filter((line) => line.startsWith('GET /events?')).at(-1)?.slice(4) ?? '/', site.url);
    if (JSON.stringify(last.searchParams.getAll('topic').sort()) === wanted && site.open === 1) return;
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** @param {import('playwright-core').Page} page @param {string[]} wanted */
async function sees(page, wanted) {
  await page.waitForFunction((count) => window.seen.length >= count, wanted.length);
  assert.deepEqual(await page.evaluate(() => window.seen), wanted);
}

for (const by of /** @type {const} */ (['worker', 'leader'])) {
  test(`eight tabs share one connection, each with its own topics (${by})`, async () => {
    const context = await browser.newContext();
    const pages = await Promise.all(Array.from({ length: TABS }, () => openPage(undefined, context)));
    const own = (number) => `${by}/tab${number}`;
    const all = `${by}/all`;
    await Promise.all(pages.map((page, number) => join(page, [all, own(number)], by)));
    await untilReading([all, ...pages.map((_, number) => own(number))]);
    assert.equal(site.open, 1);
    await publish(all, 'hello');
    for (const number of pages.keys()) await publish(own(number), `${number}`);
    await Promise.all(pages.map((page, number) => sees(page, [`${all} hello`, `${own(number)} ${number}`])));

    // One wants more, and one less.
    await pages[1].evaluate((topic) => window.source.add(topic), `${by}/more`);
    await pages[2].evaluate((topic) => window.source.remove(topic), own(2));
    await untilReading([all, `${by}/more`, ...[0, 1, 3, 4, 5, 6, 7].map(own)]);
    await publish(`${by}/more`, 'more');
    await publish(own(2), 'unread');
    await publish(all, 'last');
    await sees(pages[1], [`${all} hello`, `${own(1)} 1`, `${by}/more more`, `${all} last`]);
    await sees(pages[2], [`${all} hello`, `${own(2)} 2`, `${all} last`]);
    assert.equal(site.mostOpen, 1);
    await context.close();
  });
}

test('tabs that do not agree in their connection have one each, by the same worker', async () => {
  const context = await browser.newContext();
  const page = await openPage(undefined, context);
  await page.evaluate(async () => {
    const { SharedEventSource } = await import('/package/shared/index.js');
    window.seen = [];
    window.sources = ['1', '2'].map((own) => {
      const source = new SharedEventSource('/events', { topics: ['own', `own/${own}`], headers: { 'X-Own': own } });
      source.onmessage = ({ data }) => window.seen.push(`${own}: ${data}`);
      return source;
    });
  });
  await page.waitForFunction(() => window.sources.every(({ readyState }) => readyState === 1));
  assert.equal(site.open, 2);
  assert.deepEqual(site.requests.slice(-2).map(({ headers }) => headers['x-own']).sort(), ['1', '2']);
  await publish('own/1', 'a');
  await publish('own/2', 'b');
  await publish('own', 'c');
  await page.waitForFunction(() => window.seen.length >= 4);
  assert.deepEqual(await page.evaluate(() => window.seen.sort()), ['1: a', '1: c', '2: b', '2: c']);
  await page.evaluate(() => window.sources[0].close());
  while (site.open > 1) await new Promise((done) => setTimeout(done, 10));
  await publish('own/2', 'd');
  await page.waitForFunction(() => window.seen.includes('2: d'));
  await context.close();
});

test('where the worker has no script, one of the tabs reads for all', async () => {
  const context = await browser.newContext();
  const pages = [await openPage(undefined, context), await openPage(undefined, context)];
  for (const page of pages) await join(page, ['without'], 'worker', '/nowhere.js');
  await publish('without', '1');
  for (const page of pages) await sees(page, ['without 1']);
  assert.equal(site.mostOpen, 1);
  await context.close();
});

test('where tabs cannot find each other, it says what it takes', async () => {
  const context = await browser.newContext();
  await context.route('http://insecure.example/**', async (route) => {
    const response = await fetch(`${site.url}${new URL(route.request().url()).pathname}`);
    await route.fulfill({ body: await response.text(), contentType: response.headers.get('Content-Type') });
  });
  const page = await openPage('http://insecure.example/page', context);
  const said = await page.evaluate(async () => {
    const { SharedEventSource } = await import('/package/shared/index.js');
    try {
      new SharedEventSource('/events');
    } catch (error) {
      return error.message;
    }
  });
  assert.match(said, /HTTPS or localhost/);
  await context.close();
});

test('more topics than an address has room for', async () => {
  const page = await openPage();
  const topics = Array.from({ length: 60 }, (_, number) => `long/${'x'.repeat(40)}/${number}`);
  await join(page, topics, 'worker');
  assert.ok(site.asked.every((line) => line.startsWith('POST /subscribe')), site.asked.join());
  await publish(topics[59], '1');
  await sees(page, [`${topics[59]} 1`]);
  site.cut();
  await publish(topics[0], '2');
  await sees(page, [`${topics[59]} 1`, `${topics[0]} 2`]);
  await page.context().close();
});

test('when the tab that reads goes, another one goes on: none lost, none twice', async () => {
  const context = await browser.newContext();
  const pages = [];
  for (let number = 0; number < 4; number += 1) {
    const page = await openPage(undefined, context);
    await join(page, ['led'], 'leader');
    pages.push(page);
  }
  let count = 0;
  const wanted = [];
  const more = async () => {
    wanted.push(`led ${(count += 1)}`);
    await publish('led', String(count));
  };
  await more();
  while (pages.length > 1) {
    const leader = pages.shift();
    const going = Promise.all([more(), leader.close(), more()]);
    await going;
    await more();
    wanted.sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
    for (const page of pages) {
      await page.waitForFunction((count) => window.seen.length >= count, wanted.length);
      assert.deepEqual((await page.evaluate(() => window.seen)).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4))), wanted);
    }
  }
  assert.equal(site.mostOpen, 1);
  await context.close();
});

test('before its first event the new reader has a place, too', async () => {
  const context = await browser.newContext();
  const [leader, other] = [await openPage(undefined, context), await openPage(undefined, context)];
  await join(leader, ['early'], 'leader');
  await join(other, ['early'], 'leader');
  await publish('elsewhere', 'x');
  await leader.close();
  await publish('early', 'first');
  await sees(other, ['early first']);
  await context.close();
});

test('a tab that is closed is forgotten, and with the last one the connection', async () => {
  const context = await browser.newContext();
  const [first, second] = [await openPage(undefined, context), await openPage(undefined, context)];
  await join(first, ['room/1'], 'worker');
  await join(second, ['room/2'], 'worker');
  await untilReading(['room/1', 'room/2']);
  await first.close();
  await untilReading(['room/2']);
  await second.evaluate(() => window.source.close());
  while (site.open > 0) await new Promise((done) => setTimeout(done, 10));
  await context.close();
});

test('in a worker and in a shared worker', async () => {
  const page = await openPage();
  await publish('worker', '1');
  const seen = await page.evaluate(async (origin) => {
    const text = `import { events } from '${origin}/package/index.js';
      async function read(port) {
        for await (const { data } of events('${origin}/events/worker', { lastEventId: 'earliest' })) port.postMessage(data);
      }
      if (globalThis.onconnect === null) globalThis.onconnect = ({ ports: [port] }) => read(port);
      else read(globalThis);`;
    const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    const heard = (port) => new Promise((done) => (port.onmessage = ({ data }) => done(data)));
    const worker = new Worker(url, { type: 'module' });
    const first = await heard(worker);
    worker.terminate();
    const shared = new SharedWorker(url, { type: 'module' });
    return [first, await heard(shared.port)];
  }, site.url);
  assert.deepEqual(seen, ['1', '1']);
  await page.context().close();
});
