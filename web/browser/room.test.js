/**
 * The room: who reads the shown topic, live.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectByEventSource, newPage, untilConsole } from './support/browser.js';
import { connectByClient, openConsole, untilReaders } from './support/console.js';
import { browser, server } from './support/setup.js';
import { presence } from './support/stream.js';

/** A reader that stays until it is told to go. @param {string} path */
async function reader(path) {
  const leave = new AbortController();
  await fetch(`${server.url}${path}`, { signal: leave.signal });
  return () => leave.abort();
}

/** @param {import('playwright-core').Page} page @param {string} names */
async function untilNames(page, names) {
  await page.locator('#room-names').getByText(names, { exact: true }).waitFor();
}

test('readers are counted as they come and go, with their names', async () => {
  const page = await openConsole(browser, server.url);
  await page.fill('#as', 'alice');
  await connectByEventSource(page, 'lounge');
  await untilNames(page, 'alice');
  assert.equal(await page.textContent('.count'), '1 reader of lounge');

  const bob = await reader('/events/lounge?as=bob');
  const bobAgain = await reader('/events?topic=lounge&topic=other&as=bob');
  const nameless = await reader('/events/lounge');
  await untilReaders(page, 4);
  await untilNames(page, 'alice, bob ×2, 1 without a name');
  assert.equal(await page.textContent('.count'), '4 readers of lounge');
  bob();
  nameless();
  await untilNames(page, 'alice, bob');
  bobAgain();
  await untilReaders(page, 1);
});

test('markup in a name is shown as text', async () => {
  const page = await openConsole(browser, server.url);
  await connectByEventSource(page, 'markup');
  const name = '<img src=x onerror=alert(1)>';
  const leave = await reader(`/events/markup?as=${encodeURIComponent(name)}`);
  await untilNames(page, `${name}, 1 without a name`);
  assert.equal(await page.locator('#room-names *').count(), 0);
  leave();
});

test('two pages see each other', async () => {
  const alice = await openConsole(browser, server.url);
  const bob = await openConsole(browser, server.url);
  await connectByClient(alice, 'pair', { as: 'alice' });
  await connectByClient(bob, 'pair', { as: 'bob' });
  for (const page of [alice, bob]) await untilNames(page, 'alice, bob');
  await bob.close();
  await untilNames(alice, 'alice');
});

test('of several topics one is watched, and another can be chosen', async () => {
  const page = await openConsole(browser, server.url);
  const leave = await reader('/events/second?as=carol');
  await connectByClient(page, 'first, second');
  await untilReaders(page, 1);
  await page.selectOption('#room-topic', 'second');
  await untilNames(page, 'carol, 1 without a name');
  assert.equal(await page.textContent('.count'), '2 readers of second');
  leave();
});

test('a hidden page lets the room go, and asks again when it is back', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'tabs');
  await untilReaders(page, 1);
  const closed = page.waitForEvent('requestfailed', (request) => request.url().includes('/presence/'));
  await setHidden(page, true);
  await closed;
  const leave = await reader('/events/tabs');
  assert.equal((await presence(server.url, 'tabs')).readers, 2, 'the stream itself stays');
  assert.equal(await page.textContent('#room-count'), '1', 'nobody told the page');
  await setHidden(page, false);
  await untilReaders(page, 2);
  leave();
});

test('a restarted server is asked again', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await connectByClient(page, 'revived', { as: 'alice' });
  await untilNames(page, 'alice');
  await server.kill();
  await page.locator('#room-state', { hasText: 'before the connection was lost' }).waitFor();
  await server.startAgain();
  const leave = await reader('/events/revived?as=dora');
  await untilConsole(page, 'open');
  await untilNames(page, 'alice, dora');
  assert.equal(await page.textContent('#room-state'), '');
  leave();
});

/** Headless pages are always seen; so the page is told. @param {import('playwright-core').Page} page @param {boolean} hidden */
function setHidden(page, hidden) {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}
