/**
 * What happens to a page: it is reloaded, hidden, put aside and taken out again, its network goes and comes, its server
 * is started again. Nothing is lost, nothing comes twice, and there is never more than one connection.
 */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { launch } from './support/launch.js';
import { follow, openPage, publish, server, site, untilSeen } from './support/setup.js';

afterEach(() => {
  assert.ok(site.mostOpen <= 1, `${site.mostOpen} connections at a time`);
  site.mostOpen = 0;
  site.asked = [];
  site.requests = [];
});

/** Waits until so many streams are open at the site. @param {number} count */
async function untilOpen(count) {
  while (site.open !== count) await new Promise((done) => setTimeout(done, 10));
}

/** @param {import('playwright-core').Page} page @param {boolean} isHidden */
async function hide(page, isHidden) {
  await page.evaluate((isHidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}

test('offline and online again', async () => {
  const page = await openPage();
  const devtools = await page.context().newCDPSession(page);
  const network = (offline) =>
    devtools.send('Network.emulateNetworkConditions', { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await devtools.send('Network.enable');
  await publish('offline', '1');
  await follow(page, 'offline');
  await untilSeen(page, ['1']);
  await network(true);
  // DevTools lets streams that are open go on; the cable does not.
  site.cut();
  await page.waitForFunction(() => window.errors.length >= 2);
  await publish('offline', '2');
  await network(false);
  assert.deepEqual(await untilSeen(page, ['1', '2']), ['1', '2']);
  assert.equal(await page.evaluate(() => window.source.readyState), 1);
  await page.context().close();
  await untilOpen(0);
});

test('hidden and shown: it stays, or rests and resumes, as it is told', async () => {
  const page = await openPage();
  await publish('hidden', '1');
  await follow(page, 'hidden', { openWhenHidden: false });
  await untilSeen(page, ['1']);
  await hide(page, true);
  await untilOpen(0);
  await publish('hidden', '2');
  assert.deepEqual(await page.evaluate(() => [window.source.readyState, window.errors, window.seen]), [1, [], ['1']]);
  await hide(page, false);
  assert.deepEqual(await untilSeen(page, ['1', '2']), ['1', '2']);
  await page.evaluate(() => window.source.close());
  await untilOpen(0);

  await follow(page, 'hidden');
  await untilSeen(page, ['1', '2']);
  await hide(page, true);
  await publish('hidden', '3');
  assert.deepEqual(await untilSeen(page, ['1', '2', '3']), ['1', '2', '3']);
  await page.context().close();
  await untilOpen(0);
});

test('a POST that cannot be repeated is left alone when its page is hidden', async () => {
  const page = await openPage();
  site.answer = (request, response) => {
    if (request.url !== '/foreign') return false;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    setTimeout(() => response.end('data: 2\n\n'), 300);
    return true;
  };
  await page.evaluate(() => {
    window.seen = [];
    const onmessage = ({ data }) => window.seen.push(data);
    window.done = window.tidewire.fetchEventSource('/foreign', { method: 'POST', body: '{}', onmessage });
  });
  await untilSeen(page, ['1']);
  await hide(page, true);
  await page.evaluate(() => window.done);
  await hide(page, false);
  assert.deepEqual(await page.evaluate(() => window.seen), ['1', '2']);
  assert.deepEqual(site.asked, ['POST /foreign']);
  site.answer = () => false;
  await page.context().close();
});

test('reloaded, it goes on where it was, if the page remembers', async () => {
  const page = await openPage();
  const read = () =>
    page.evaluate(() => {
      window.seen = [];
      const lastEventId = sessionStorage.getItem('cursor') ?? 'earliest';
      new window.tidewire.EventSource('/events/reload', { lastEventId }).onmessage = ({ data, lastEventId }) => {
        window.seen.push(data);
        sessionStorage.setItem('cursor', lastEventId);
      };
    });
  await publish('reload', '1', `id=${encodeURIComponent('第一')}`);
  await read();
  await untilSeen(page, ['1']);
  await publish('reload', '2', `id=${encodeURIComponent('第二🌊')}`);
  await untilSeen(page, ['1', '2']);
  await page.reload();
  await page.waitForFunction(() => 'tidewire' in window);
  await publish('reload', '3');
  await read();
  assert.deepEqual(await untilSeen(page, ['3']), ['3']);
  await page.context().close();
  await untilOpen(0);
});

test('put into the back/forward cache and taken out of it', async () => {
  const withCache = await launch({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
  try {
    const page = await openPage(undefined, await withCache.newContext());
    await publish('aside', '1');
    await follow(page, 'aside');
    await untilSeen(page, ['1']);
    await page.goto(`${site.otherUrl}/page`);
    await untilOpen(0);
    await publish('aside', '2');
    await page.goBack({ waitUntil: 'commit' });
    assert.deepEqual(await page.evaluate(() => window.seen?.[0]), '1', 'the page came from the cache, not anew');
    assert.deepEqual(await untilSeen(page, ['1', '2']), ['1', '2']);
    assert.equal(site.mostOpen, 1);
  } finally {
    await withCache.close();
    await untilOpen(0);
  }
});

test('a server that is started again, with nothing left of before: the gap is told', async () => {
  const page = await openPage();
  await publish('restart', '1');
  await follow(page, 'restart');
  await untilSeen(page, ['1']);
  await server.kill();
  await page.waitForFunction(() => window.errors.length >= 2);
  await server.startAgain();
  await page.waitForFunction(() => window.gaps === 1);
  await publish('restart', '2');
  assert.deepEqual(await untilSeen(page, ['1', '2']), ['1', '2']);
  await page.context().close();
  await untilOpen(0);
});

test('a stream that ends closes it for good', async () => {
  const page = await openPage();
  await publish('ended', '1');
  await follow(page, 'ended');
  await untilSeen(page, ['1']);
  await publish('ended', '2', 'end=true');
  await page.waitForFunction(() => window.source.readyState === 2);
  assert.deepEqual(await page.evaluate(() => [window.seen, window.errors]), [['1', '2'], ['0 cut', '2 end']]);
  await page.context().close();
});
