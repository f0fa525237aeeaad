/**
 * `@microsoft/fetch-event-source`, which POSTs and comes back by itself with `Last-Event-ID`: cuts do not show in the text,
 * and the upstream is asked once.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPage } from '../browser/support/browser.js';
import { Network } from '../browser/support/network.js';
import { browser, paced, server, upstream } from './support/setup.js';
import { pacedText } from './support/words.js';

const CUTS = 10;
/** Enough for an answer to outlive the cuts on a slow machine. */
const WORDS = 500;
const EVERY_MS = 25;

test(`cut ${CUTS} times in mid-answer: the text is whole, the upstream was called once`, async () => {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    await page.goto(`${network.url}/app/fetch-event-source`);
    const key = { Authorization: 'Bearer cut-often' };
    await page.evaluate(([body, headers]) => window.ask(body, headers), [paced(WORDS, EVERY_MS), key]);
    for (let cut = 0; cut < CUTS; cut += 1) {
      const before = await page.evaluate(() => window.answer.ids.length);
      const more = 1 + Math.floor(Math.random() * 10);
      await page.waitForFunction((count) => window.answer.ids.length >= count, before + more);
      network.cut();
      await page.waitForFunction((cuts) => window.answer.cuts > cuts, cut);
    }
    assert.equal(await page.evaluate(() => window.answer.isDone), false, 'all cuts were in mid-answer');
    await page.waitForFunction(() => window.answer.isDone);
    const { text, ids, cuts, refusal } = await page.evaluate(() => window.answer);
    assert.equal(refusal, '');
    assert.equal(text, pacedText(WORDS));
    const stream = ids[0].split('.')[0];
    assert.deepEqual(ids, ids.map((_, index) => `${stream}.${index + 1}`));
    assert.equal(cuts, CUTS);
    assert.equal(upstream.callsOf('cut-often', 'paced').length, 1);
  } finally {
    network.close();
  }
});

test('a cut before the first event is one request too, where it has an Idempotency-Key', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    await page.goto(`${network.url}/app/fetch-event-source`);
    const headers = { Authorization: 'Bearer cut-early', 'Idempotency-Key': 'one' };
    const calls = () => upstream.callsOf('cut-early', 'paced').length;
    await page.evaluate(([body, headers]) => window.ask(body, headers), [paced(5, 0, 1_000), headers]);
    while (calls() === 0) await new Promise(setImmediate);
    network.cut();
    assert.deepEqual(network.statuses, [200, 200], 'the page and its script, no answer yet');
    await page.waitForFunction(() => window.answer.isDone);
    // Chromium itself may have asked again, so the page need not know.
    assert.deepEqual(network.statuses, [200, 200, 200]);
    assert.equal(await page.evaluate(() => window.answer.text), pacedText(5));
    assert.equal(calls(), 1);
  } finally {
    network.close();
  }
});

test('a new prompt gets a new answer, whatever its client still remembers', async () => {
  const page = await newPage(browser);
  await page.goto(`${server.url}/app/fetch-event-source`);
  const ask = async (count, headers) => {
    await page.evaluate(([body, headers]) => window.ask(body, headers), [paced(count, 0), headers]);
    await page.waitForFunction(() => window.answer.isDone);
    return page.evaluate(() => ({ text: window.answer.text, last: window.answer.ids.at(-1) }));
  };
  const first = await ask(3, {});
  const second = await ask(4, { 'last-event-id': first.last });
  assert.deepEqual([first.text, second.text], [pacedText(3), pacedText(4)]);
});
