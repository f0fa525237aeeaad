/**
 * The chat page in trouble: hostile texts, cut networks, refusals, restarts of the server.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { troublesOf } from './support/browser.js';
import { answerTo, askChat, blocksOf, openChat, questionsOf, shownBlocks, untilChat, untilSaid, wholeText } from './support/chat.js';
import { Network } from './support/network.js';
import { Server } from './support/server.js';
import { browser, server } from './support/setup.js';

const SHARED = 'An answer that was shared';

test('a reload before the answer has a name asks the same question, not another', async () => {
  const page = await openChat(browser, server.url);
  const asked = questionsOf(page);
  // The response is held back: the server has the question, the page has no name.
  let held = 0;
  await page.route('**/v1/chat/completions', async (route) => {
    held += 1;
    if (held > 1) {
      await route.continue();
      return;
    }
    await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST', headers: await headersOf(route.request()), body: route.request().postData(),
    });
  });
  await askChat(page, 'Lost on the way?');
  while (held === 0) await page.waitForTimeout(20);
  await page.waitForTimeout(500);
  await page.reload();
  const answer = answerTo(page, 'Lost on the way?');
  await untilChat(answer, 'typing');
  assert.equal(asked.length, 2);
  const keys = await Promise.all(asked.map(async (request) => (await request.allHeaders())['idempotency-key']));
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(keys[0], keys[1]);
  await answer.locator('[data-part="stop"]').click();
  await untilChat(answer, 'stopped');
});

test('cuts of the network neither lose nor repeat anything', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openChat(browser, network.url);
    const asked = questionsOf(page);
    const answer = await askChat(page, 'Cut twice?');
    for (const count of [60, 200]) {
      await untilSaid(answer, count);
      network.cut();
    }
    await untilChat(answer, 'done');
    assert.deepEqual(await shownBlocks(answer), await blocksOf(await wholeText(server.url, 'Cut twice?')));
    assert.equal(asked.length, 1);
  } finally {
    network.close();
  }
});

test('what would break a page is shown as text, and nothing leaves for another host', async () => {
  const page = await openChat(browser, server.url);
  const troubles = troublesOf(page);
  /** @type {string[]} */
  const elsewhere = [];
  page.context().on('request', (request) => {
    if (new URL(request.url()).origin !== server.url) elsewhere.push(request.url());
  });
  const text = await wholeText(server.url, 'Break it.', 'demo-hostile');
  for (const part of ['<script>', 'onerror=', '](javascript:', '![a picture', '\u202e', '```', '</html>']) {
    assert.ok(text.includes(part), `the demo no longer says ${part}`);
  }
  // Typed in full: the pace is the request's.
  await page.route('**/v1/chat/completions', (route) => {
    const body = { ...route.request().postDataJSON(), metadata: { cps: '2000' } };
    return route.continue({ postData: JSON.stringify(body) });
  });
  const answer = await askChat(page, 'Break it.', 'demo-hostile');
  await untilChat(answer, 'done');

  assert.deepEqual(await shownBlocks(answer), await blocksOf(text));
  const made = await answer.locator('[data-part="chat-text"] *').evaluateAll((all) => [...new Set(all.map((one) => one.tagName))]);
  assert.deepEqual(made.toSorted(), ['CODE', 'H3', 'P', 'PRE', 'SPAN', 'STRONG']);
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
  assert.ok(await page.isVisible('#send'), 'no style got in');
  assert.ok((await answer.locator('.control[data-code="U+202E"]').count()) >= 2);
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth, screen: document.documentElement.clientWidth,
  }));
  assert.ok(content <= screen, 'a long word is no wider than the page');

  await page.reload();
  await untilChat(answer, 'done');
  assert.deepEqual(await shownBlocks(answer), await blocksOf(text));
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(troubles, []);
});

test('a prompt, a refusal and an error are text as well', async () => {
  const page = await openChat(browser, server.url);
  const markup = '<img src=x onerror="window.hacked=1">';
  await page.route('**/v1/chat/completions', (route) =>
    route.fulfill({ status: 500, contentType: 'application/json', body: JSON.stringify({ error: { message: markup } }) }),
  );
  const answer = await askChat(page, markup);
  await untilChat(answer, 'refused');
  assert.match(await answer.locator('[data-part="outcome"]').textContent(), /<img src=x/);
  assert.equal(await answer.locator('img').count(), 0);
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
});

test('no text can become markup on this page, even if a script tried', async () => {
  const page = await openChat(browser, server.url);
  const tried = await page.evaluate(() => {
    try {
      document.body.innerHTML = '<b>x</b>';
      return 'done';
    } catch (error) {
      return error instanceof TypeError ? 'refused' : String(error);
    }
  });
  assert.equal(tried, 'refused');
});

test('what goes wrong has its own words', async () => {
  const page = await openChat(browser, server.url);
  const cases = [
    ['demo-error-429', 'refused', /429 the model demo-error-429 always answers so/],
    ['demo-error-mid', 'failed', /always stops here/],
    ['demo-cut-mid', 'failed', /broke off/],
  ];
  for (const [model, phase, words] of cases) {
    const answer = await askChat(page, `Try ${model}`, model);
    await untilChat(answer, phase);
    assert.match(await answer.locator('[data-part="outcome"]').textContent(), words, model);
  }
  await page.goto(`${server.url}/chat#${'a'.repeat(26)}`);
  await untilChat(answerTo(page, SHARED), 'gone');
});

test('a server that is started again in mid-answer: interrupted, and what had come stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-chat-'));
  const own = await Server.start({ TIDEWIRE_DATA: folder });
  try {
    const page = await openChat(browser, own.url);
    const answer = await askChat(page, 'And a restart?');
    await untilSaid(answer, 60);
    await own.kill();
    await answer.locator('[data-part="chat-state"]', { hasText: 'connection lost' }).waitFor();
    const arrived = (await shownBlocks(answer)).join('');
    await own.startAgain();
    await untilChat(answer, 'interrupted');
    assert.match(await answer.locator('[data-part="outcome"]').textContent(), /started again in the midst/);
    const kept = (await shownBlocks(answer)).join('');
    assert.ok(kept.startsWith(arrived) && arrived.length >= 60);

    await page.reload();
    await untilChat(answer, 'interrupted');
    assert.equal((await shownBlocks(answer)).join(''), kept);
  } finally {
    await own.kill();
    await rm(folder, { recursive: true, force: true });
  }
});

test('one with its log in memory no longer has the answer, and the page says so', async () => {
  const own = await Server.start();
  try {
    const page = await openChat(browser, own.url);
    const answer = await askChat(page, 'And in memory?');
    await untilSaid(answer, 60);
    await own.kill();
    await own.startAgain();
    await untilChat(answer, 'gone');
    assert.match(await answer.locator('[data-part="outcome"]').textContent(), /no longer has this answer/);
    assert.ok((await shownBlocks(answer)).join('').length >= 60);
  } finally {
    await own.kill();
  }
});

/** @param {import('playwright-core').Request} request */
async function headersOf(request) {
  const headers = await request.allHeaders();
  return { 'Content-Type': headers['content-type'], 'Idempotency-Key': headers['idempotency-key'] };
}
