/**
 * The browser's own `EventSource` on `/relay/{stream}`: an answer is read by whoever knows its address, from its beginning,
 * through cuts and reloads, and stopped from anywhere.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPage } from '../browser/support/browser.js';
import { Network } from '../browser/support/network.js';
import { browser, paced, server, upstream } from './support/setup.js';
import { until } from './support/until.js';
import { pacedText } from './support/words.js';

/** Enough for an answer to outlive reloads and cuts on a slow machine. */
const WORDS = 300;
const EVERY_MS = 30;

/** Asks for an answer, and leaves it to others to read it. @param {string} key @param {number} words @param {number} every */
async function ask(key, words, every) {
  const gone = new AbortController();
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` };
  const body = JSON.stringify(paced(words, every));
  const url = `${server.url}/v1/chat/completions`;
  const response = await fetch(url, { method: 'POST', headers, body, signal: gone.signal });
  assert.equal(response.status, 200);
  gone.abort();
  return response.headers.get('tidewire-stream');
}

/** A tab that reads it. @param {string} url @param {string} place */
async function open(url, place) {
  const page = await newPage(browser);
  await page.goto(`${url}/app/event-source#${place}`);
  return page;
}

const typed = (page, words) => page.waitForFunction((count) => window.answer.text.split(' ').length > count, words);

async function whole(page) {
  await page.waitForFunction(() => window.answer.isDone && window.isClosed());
  return page.evaluate(() => ({ text: window.answer.text, error: window.answer.error, opened: window.answer.opened }));
}

test('a reload in mid-answer reads it again, and on; it is not asked again', async () => {
  const page = await open(server.url, await ask('reload', WORDS, EVERY_MS));
  for (const words of [5, 15, 30]) {
    await typed(page, words);
    assert.equal(await page.evaluate(() => window.answer.isDone), false);
    await page.reload();
  }
  assert.deepEqual(await whole(page), { text: pacedText(WORDS), error: '', opened: 1 });
  assert.equal(upstream.callsOf('reload', 'paced').length, 1);
});

test('two tabs read the same, and cuts of the network do not show', async () => {
  const network = await Network.before(server.url);
  try {
    const place = await ask('tabs', WORDS, EVERY_MS);
    const tabs = await Promise.all([open(network.url, place), open(server.url, place)]);
    for (const words of [5, 20, 35]) {
      await typed(tabs[0], words);
      const opened = await tabs[0].evaluate(() => window.answer.opened);
      network.cut();
      await tabs[0].waitForFunction((before) => window.answer.opened > before, opened);
    }
    const [cut, other] = await Promise.all(tabs.map(whole));
    assert.deepEqual(cut, { text: pacedText(WORDS), error: '', opened: 4 });
    assert.deepEqual(other, { text: pacedText(WORDS), error: '', opened: 1 });
    assert.equal(upstream.callsOf('tabs', 'paced').length, 1);
  } finally {
    network.close();
  }
});

test('one that has ended is read to its end, and the tab does not come back', async () => {
  const place = await ask('ended', 3, 0);
  const [call] = upstream.callsOf('ended', 'paced');
  await until(() => call.isOver);
  const page = await open(server.url, place);
  assert.deepEqual(await whole(page), { text: pacedText(3), error: '', opened: 1 });
});

test('stopped from the other tab: both are told, and the upstream sees its client go', async () => {
  const place = await ask('stop', 1000, 20);
  const [reading, stopping] = await Promise.all([open(server.url, place), open(server.url, place)]);
  await Promise.all([reading, stopping].map((page) => typed(page, 5)));
  const status = await stopping.evaluate(async (place) => (await fetch(place, { method: 'DELETE' })).status, place);
  assert.equal(status, 204);
  for (const page of [reading, stopping]) {
    await page.waitForFunction(() => window.isClosed());
    const { error, isDone, text } = await page.evaluate(() => window.answer);
    assert.equal(JSON.parse(error).error.code, 'stopped');
    assert.equal(isDone, false);
    assert.ok(pacedText(1000).startsWith(text));
  }
  const [call] = upstream.callsOf('stop', 'paced');
  await until(() => call.isOver);
  assert.ok(call.hasLost);
});
