/**
 * The live log: paused, filtered, bounded; and events per second.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectByEventSource, newPage } from './support/browser.js';
import { connectByClient, listed, openConsole, untilListed } from './support/console.js';
import { browser, server } from './support/setup.js';
import { publish, publishMany } from './support/stream.js';

test('a paused list stands still, and catches up', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'paused');
  await publish(server.url, 'paused', 'before');
  await untilListed(page, 'before');
  await page.click('#pause');
  assert.equal(await page.textContent('#pause'), 'Resume');
  for (const data of ['one', 'two']) await publish(server.url, 'paused', data);
  await page.locator('#events-waiting', { hasText: '2 more have arrived' }).waitFor();
  assert.deepEqual(await listed(page), ['before']);
  await page.click('#pause');
  await untilListed(page, 'two');
  assert.deepEqual(await listed(page), ['before', 'one', 'two']);
  assert.equal(await page.textContent('#events-waiting'), '');
});

test('more than the list keeps may come while it is paused', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'paused-long');
  await page.click('#pause');
  await publishMany(server.url, 'paused-long', Array.from({ length: 700 }, (_, n) => `{"data":"${n}"}`));
  await page.locator('#events-waiting', { hasText: '700 more' }).waitFor();
  await page.click('#clear');
  assert.equal(await page.textContent('#events-waiting'), '');
  await publishMany(server.url, 'paused-long', Array.from({ length: 700 }, (_, n) => `{"data":"again ${n}"}`));
  await page.locator('#events-waiting', { hasText: '700 more' }).waitFor();
  await page.click('#pause');
  await untilListed(page, 'again 699');
  assert.equal(await page.locator('#events li').count(), 500);
  assert.equal((await listed(page))[0], 'again 200');
});

test('the list shows one topic of several, or all', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'left, right');
  await publish(server.url, 'left', 'l1');
  await publish(server.url, 'right', 'r1');
  const both = await fetch(`${server.url}/events?topic=left&topic=right`, { method: 'POST', body: 'both' });
  assert.equal(both.status, 200);
  await untilListed(page, 'both');
  await page.selectOption('#filter', 'left');
  assert.deepEqual(await listed(page), ['l1', 'both']);
  await publish(server.url, 'right', 'r2');
  await publish(server.url, 'left', 'l2');
  await untilListed(page, 'l2');
  assert.deepEqual(await listed(page), ['l1', 'both', 'l2']);
  await page.selectOption('#filter', '');
  assert.deepEqual(await listed(page), ['l1', 'r1', 'both', 'r2', 'l2']);
  await page.click('#clear');
  await page.selectOption('#filter', 'right');
  await publish(server.url, 'left', 'l3');
  await page.locator('#events-empty', { hasText: 'None of this topic' }).waitFor();
});

test('EventSource does not tell topics, and the page says so', async () => {
  const page = await openConsole(browser, server.url);
  await connectByEventSource(page, 'es-1, es-2');
  await publish(server.url, 'es-2', 'from the second');
  await untilListed(page, 'from the second');
  assert.ok(await page.isVisible('#events-no-topics'));
  assert.ok(await page.isHidden('#events-filter'));
  await connectByEventSource(page, 'es-1');
  assert.ok(await page.isHidden('#events-no-topics'));
});

test('a long event is shown by its beginning', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'long');
  await publish(server.url, 'long', 'x'.repeat(300_000));
  await page.locator('#events .data', { hasText: '300,000 characters in all' }).waitFor();
  assert.ok((await page.textContent('#events .data')).length < 2_100);
});

test('events per second are drawn, and said in words', async () => {
  const page = await openConsole(browser, server.url);
  assert.ok(await page.isHidden('#live'), 'nothing to see before a connection');
  await connectByClient(page, 'rate');
  assert.equal(await page.textContent('#rate-text'), 'None in the last minute.');
  await publishMany(server.url, 'rate', Array.from({ length: 40 }, () => '{"data":"x"}'));
  await page.locator('#rate-text', { hasText: ', 40 in all, during the last minute.' }).waitFor();
  assert.match(await page.getAttribute('#rate-path', 'd'), /^M\d+ 40v-40/);
  const name = await page.locator('#rate-plot').getAttribute('aria-labelledby');
  assert.equal(name, 'rate-title rate-text');
});

test('a hidden page counts, but does not draw', async () => {
  // The timers of the page by hand: what is drawn within a minute is seen at once.
  const page = await newPage(browser);
  await page.clock.install();
  await page.goto(server.url);
  await page.clock.runFor(1_000);
  await connectByClient(page, 'hidden');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await publishMany(server.url, 'hidden', ['{"data":"1"}', '{"data":"2"}']);
  while ((await page.textContent('#console-last-id')) === '–') await page.clock.runFor(250);
  await page.clock.runFor(5_000);
  assert.equal(await page.textContent('#rate-text'), 'None in the last minute.');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.locator('#rate-text', { hasText: ', 2 in all' }).waitFor();
});
