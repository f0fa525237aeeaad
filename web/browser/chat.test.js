/**
 * The chat page: an answer through the relay types itself, survives reloads, shows in several tabs, and stops everywhere.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { newPage, troublesOf } from './support/browser.js';
import {
  answerTo, askChat, blocksOf, linkOf, openChat, questionsOf, shownBlocks, untilChat, untilSaid, wholeText,
} from './support/chat.js';
import { browser, server } from './support/setup.js';

const SHARED = 'An answer that was shared';

test('an answer types itself, and the page says how fast', async () => {
  const page = await openChat(browser, server.url);
  const troubles = troublesOf(page);
  const answer = await askChat(page, 'How fast?');
  await untilChat(answer, 'typing');
  await untilSaid(answer, 1);
  const early = (await shownBlocks(answer)).join('');
  await untilChat(answer, 'done');

  const text = await wholeText(server.url, 'How fast?');
  assert.match(text, /^You asked: \*\*How fast\?\*\*/);
  assert.deepEqual(await shownBlocks(answer), await blocksOf(text));
  assert.ok(early.length < text.length / 2, 'it came in one piece');
  assert.equal(await answer.locator('pre code').count(), 1);
  assert.equal(await answer.locator('strong').first().textContent(), 'How fast?');
  assert.match(await answer.locator('[data-part="first"]').textContent(), /^[\d,]+ ms$/);
  const tokens = Number(await answer.locator('[data-part="tokens"]').textContent());
  assert.ok(tokens > 100, `${tokens} tokens`);
  const pace = parseFloat(await answer.locator('[data-part="pace"]').textContent());
  assert.ok(pace > 1 && pace < 60, `${pace} tokens a second, of 60 characters a second`);
  const bars = (await answer.locator('[data-part="plot-path"]').getAttribute('d')).split('M').length - 1;
  assert.ok(bars > 10, `${bars} bars`);
  assert.deepEqual(troubles, []);
});

test('reloads in mid-answer go on, and nobody is asked again', async () => {
  const page = await openChat(browser, server.url);
  const asked = questionsOf(page);
  const troubles = troublesOf(page);
  await askChat(page, 'And a reload?');
  for (let reload = 0; reload < 3; reload += 1) {
    const answer = answerTo(page, 'And a reload?');
    await untilSaid(answer, 60 * (reload + 1));
    await page.reload();
  }
  const answer = answerTo(page, 'And a reload?');
  await untilChat(answer, 'typing');
  assert.match(await answer.locator('[data-part="first"]').textContent(), /^[\d,]+ ms$/, 'it is remembered');
  await untilChat(answer, 'done');
  assert.deepEqual(await shownBlocks(answer), await blocksOf(await wholeText(server.url, 'And a reload?')));
  assert.equal(asked.length, 1);

  await page.reload();
  await untilChat(answer, 'done');
  assert.deepEqual(await shownBlocks(answer), await blocksOf(await wholeText(server.url, 'And a reload?')));
  assert.equal(asked.length, 1);
  assert.deepEqual(troubles, []);
});

test('two tabs read the same answer by its link, and a stop in one ends both', async () => {
  const page = await openChat(browser, server.url);
  const answer = await askChat(page, 'Two of us?');
  await untilSaid(answer, 20);
  const link = await linkOf(answer);
  assert.match(new URL(link).hash, /^#[a-z2-7]{26}$/);

  // Another profile: nothing but the link is known there.
  const other = await newPage(browser);
  /** @type {string[]} */
  const addresses = [];
  other.on('request', (request) => addresses.push(request.url()));
  await other.goto(link);
  const shared = answerTo(other, SHARED);
  await untilChat(shared, 'typing');
  await untilSaid(shared, 60);
  assert.ok(addresses.every((address) => !address.includes('#') && !address.includes('/chat?')));

  await shared.locator('[data-part="stop"]').click();
  await Promise.all([untilChat(shared, 'stopped'), untilChat(answer, 'stopped')]);
  const both = [await shownBlocks(answer), await shownBlocks(shared)];
  assert.deepEqual(both[0], both[1]);
  const whole = await blocksOf(await wholeText(server.url, 'Two of us?'));
  assert.ok(both[0].join('').length < whole.join('').length);
  assert.ok(whole.join('').startsWith(both[0].join('')));
  await untilNobodyTypes();
});

test('several answers at once are all whole, and no more than the browser has room for', async () => {
  const page = await openChat(browser, server.url);
  const prompts = ['The first?', 'The second?', '第三个？'];
  const answers = [];
  for (const prompt of prompts) answers.push(await askChat(page, prompt));
  await Promise.all(answers.map((answer) => untilChat(answer, 'typing')));
  assert.ok(await page.isDisabled('#send'));
  assert.match(await page.innerText('#chat-notices'), /3 answers are running/);
  await Promise.all(answers.map((answer) => untilChat(answer, 'done')));
  for (const [index, prompt] of prompts.entries()) {
    assert.deepEqual(await shownBlocks(answers[index]), await blocksOf(await wholeText(server.url, prompt)));
  }
  assert.ok(await page.isEnabled('#send'));
  assert.equal(await page.locator('#chat-notices > *').count(), 0);
});

test('the QR code is the link', async () => {
  const page = await openChat(browser, server.url, { deviceScaleFactor: 2, colorScheme: 'dark' });
  const answer = await askChat(page, 'A picture?');
  await untilChat(answer, 'typing');
  const link = await linkOf(answer);
  // What types on moves the picture while it is taken.
  await answer.locator('[data-part="stop"]').click();
  await untilChat(answer, 'stopped');
  const picture = answer.locator('[data-part="qr"] svg');
  await picture.waitFor();
  assert.equal(await decoded(await picture.screenshot()), link);
});

test('Chinese: the question, the answer and every word around it', async () => {
  const page = await openChat(browser, server.url, { locale: 'zh-CN' });
  const answer = await askChat(page, '刷新之后呢？', 'demo-fast');
  await untilChat(answer, 'done');
  assert.deepEqual(await shownBlocks(answer), await blocksOf(await wholeText(server.url, '刷新之后呢？')));
  assert.match((await shownBlocks(answer))[0], /^你问的是：刷新之后呢？$/);
  for (const part of ['chat-state', 'first', 'pace', 'share-button', 'copy-text']) {
    assert.match(await answer.locator(`[data-part="${part}"]`).textContent(), /\p{Script=Han}/u, part);
  }
  await page.click('[data-language="en"]');
  assert.equal(await answer.locator('[data-part="chat-state"]').textContent(), 'complete');
  assert.equal(await page.innerText('h1'), 'An answer outlives its connection.');
});

test('a phone and the keyboard do everything, and what types is in no live region', async () => {
  const page = await openChat(browser, server.url, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  await page.focus('#prompt');
  await page.keyboard.type('By keyboard?');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('Yes.');
  await page.keyboard.press('Enter');
  const answer = page.locator('.conversation').first();
  await untilChat(answer, 'typing');
  assert.equal(await answer.locator('[data-part="question"]').textContent(), 'By keyboard?\nYes.');
  const live = answer.locator('[data-part="chat-text"]').locator('xpath=ancestor-or-self::*[@role="status" or @role="log" or @aria-live]');
  assert.equal(await live.count(), 0);
  assert.equal(await answer.locator('[data-part="chat-text"]').getAttribute('aria-busy'), 'true');
  await linkOf(answer);
  await pressTabUntil(page, 'stop');
  await page.keyboard.press('Enter');
  await untilChat(answer, 'stopped');
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth, screen: document.documentElement.clientWidth,
  }));
  assert.ok(content <= screen, `the page is ${content} wide on a screen of ${screen}`);
});

test('the two pages lead to each other', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await page.getByRole('link', { name: 'Chat' }).click();
  await page.waitForURL('**/chat');
  await page.getByRole('link', { name: 'Streams' }).click();
  await page.locator('#answer-title').waitFor();
});

/** What is left of the demo's answers after a stop: its places are free at once, so as many as ever can be asked. */
async function untilNobodyTypes() {
  const name = 'demo-slow-600';
  const body = JSON.stringify({ model: name, stream: true, messages: [] });
  const headers = { 'Content-Type': 'application/json' };
  const abort = new AbortController();
  const asked = Array.from({ length: 256 }, () =>
    fetch(`${server.url}/demo/v1/chat/completions`, { method: 'POST', headers, body, signal: abort.signal }));
  const statuses = (await Promise.all(asked)).map((response) => response.status);
  abort.abort();
  assert.deepEqual([...new Set(statuses)], [200], 'the upstream still types for nobody');
}

/** Reads a QR code from a picture. @param {Buffer} png */
async function decoded(png) {
  const jsQR = createRequire(import.meta.url)('jsqr');
  const page = await newPage(browser);
  const { data, width, height } = await page.evaluate(async (base64) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${base64}`;
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { data: [...data], width, height };
  }, png.toString('base64'));
  return jsQR(Uint8ClampedArray.from(data), width, height)?.data;
}

/** @param {import('playwright-core').Page} page @param {string} part */
async function pressTabUntil(page, part) {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Shift+Tab');
    if ((await page.evaluate(() => document.activeElement?.getAttribute('data-part'))) === part) return;
  }
  assert.fail(`Tab does not reach ${part}`);
}
