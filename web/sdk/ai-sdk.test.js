/**
 * The AI SDK: `streamText` reads a provider through the relay as it does without, and a page with `useChat({ resume: true })`
 * goes on with its answer after a reload.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { jsonSchema, streamText, tool } from 'ai';
import { newPage, troublesOf } from '../browser/support/browser.js';
import { browser, server, upstream } from './support/setup.js';
import { until } from './support/until.js';
import { pacedText } from './support/words.js';

/** Enough for an answer to outlive reloads on a slow machine. */
const WORDS = 300;
const EVERY_MS = 30;
const CITY = jsonSchema({ type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } });

/** All that a program sees. @param {string} base @param {'chat' | 'responses'} api @param {string} model */
async function partsOf(base, api, model) {
  const provider = createOpenAI({ baseURL: base, apiKey: 'ai-sdk' });
  const tools = model === 'tools' ? { weather: tool({ inputSchema: CITY }) } : undefined;
  const { fullStream } = streamText({ model: provider[api](model), prompt: 'Hello', tools, maxRetries: 0, onError() {} });
  const parts = [];
  for await (const part of fullStream) parts.push(JSON.parse(JSON.stringify(part, essence)));
  return parts;
}

/**
 * Without what differs from one request to the next: addresses, times, headers of a connection and of what succeeds; and
 * without the header that the relay adds for browsers.
 */
function essence(name, value) {
  if (name === 'responseHeaders') {
    const { connection, 'keep-alive': _, date, 'x-content-type-options': __, ...headers } = value;
    return headers;
  }
  if (name === 'headers' || name === 'timestamp' || name === 'requestBodyValues' || name === 'url') return undefined;
  if (value instanceof Error) return { raised: value.name, message: value.message, ...value };
  return value;
}

for (const api of ['chat', 'responses']) {
  for (const model of ['text', 'tools', 'odd', 'breaks', 'busy']) {
    test(`streamText, ${api}, ${model}: the same parts through the relay`, async () => {
      const direct = await partsOf(upstream.url, api, model);
      const relayed = await partsOf(`${server.url}/v1`, api, model);
      const kinds = new Set(direct.map(({ type }) => type));
      const isWrong = ['breaks', 'busy'].includes(model);
      assert.equal(kinds.has('error'), isWrong, JSON.stringify(direct));
      if (!isWrong) assert.ok(kinds.has(model === 'tools' ? 'tool-call' : 'text-delta'), JSON.stringify(direct));
      assert.deepEqual(relayed, direct);
    });
  }
}

/** A tab of a user at a chat. @param {string} user @param {string} chat */
async function open(user, chat) {
  const page = await newPage(browser);
  await page.context().addCookies([{ name: 'user', value: user, url: server.url }]);
  await page.goto(`${server.url}/app/chat#${chat}`);
  return page;
}

/**
 * Asks for numbered words.
 * @param {import('playwright-core').Page} page
 * @param {number} count also tells what was asked from what others ask
 * @param {number} [first] milliseconds before the first
 */
async function send(page, count, first = 0) {
  await page.fill('#prompt', JSON.stringify({ count, every: EVERY_MS, first }));
  await page.click('#send');
}

const typed = (page, words) =>
  page.waitForFunction((count) => document.querySelector('#said')?.textContent.split(' ').length > count, words);
const untilStatus = (page, status) => page.locator('#status').getByText(status, { exact: true }).waitFor();

/** What the app asked its provider for this. @param {number} count */
const callsFor = (count) =>
  upstream.callsOf('app', 'paced').filter(({ body }) => JSON.stringify(body.messages).includes(`count\\":${count},`));

test('useChat: reloads in mid-answer go on with it; the app is asked once', async () => {
  const page = await open('anna', 'chat-reload');
  const troubles = troublesOf(page);
  await send(page, WORDS);
  for (const words of [5, 20, 40]) {
    await typed(page, words);
    assert.equal(await page.textContent('#status'), 'streaming');
    await page.reload();
  }
  await typed(page, 41);
  await untilStatus(page, 'ready');
  assert.equal(await page.textContent('#said'), pacedText(WORDS));
  assert.equal(await page.textContent('#error'), '');
  assert.equal(await page.textContent('#count'), '2');
  assert.equal(callsFor(WORDS).length, 1);
  assert.deepEqual(troubles, []);
});

test('useChat: a reload before the first word finds the answer that is to come', async () => {
  const count = 20;
  const page = await open('anna', 'chat-early');
  await send(page, count, 2_000);
  await until(() => callsFor(count).length === 1);
  await page.reload();
  await typed(page, 1);
  await untilStatus(page, 'ready');
  assert.equal(await page.textContent('#said'), pacedText(count));
  assert.equal(callsFor(count).length, 1);
});

test('useChat: a second device of the same user reads along; its own stop() only leaves, and a reload is back', async () => {
  const count = WORDS + 1;
  const page = await open('anna', 'chat-devices');
  await send(page, count);
  await typed(page, 5);
  const other = await open('anna', 'chat-devices');
  await typed(other, 10);
  await page.click('#leave');
  await untilStatus(page, 'ready');
  const left = await page.textContent('#said');
  assert.ok(left.length < pacedText(count).length && pacedText(count).startsWith(left), left);
  await typed(other, 25);
  assert.equal(await page.textContent('#said'), left, 'nothing comes any more');
  await page.reload();
  for (const device of [page, other]) {
    await typed(device, count - 1);
    await untilStatus(device, 'ready');
    assert.equal(await device.textContent('#said'), pacedText(count));
  }
  assert.equal(callsFor(count).length, 1);
});

test('useChat: stopped by DELETE {route}/{chat}/stream, down to the provider, and a reload finds nothing running', async () => {
  const count = WORDS + 901;
  const page = await open('anna', 'chat-stop');
  await send(page, count);
  await typed(page, 5);
  const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE');
  await page.click('#stop');
  assert.equal((await deleted).status(), 204);
  await untilStatus(page, 'ready');
  const said = await page.textContent('#said');
  assert.ok(pacedText(count).startsWith(said) && said.length > 0, said);
  assert.equal(await page.textContent('#error'), '');
  const [call] = callsFor(count);
  await until(() => call.isOver);
  assert.ok(call.hasLost, 'the provider was read to its end');

  const resumed = page.waitForResponse((response) => response.url().endsWith('/chat-stop/stream'));
  await page.reload();
  assert.equal((await resumed).status(), 204);
  await untilStatus(page, 'ready');
  assert.equal(await page.textContent('#count'), '1');
});

test('useChat: a chat of the same name is another one for another user', async () => {
  const count = WORDS + 902;
  const [anna, bert] = [await open('anna', 'chat-shared'), await open('bert', 'chat-shared')];
  await send(anna, count);
  await typed(anna, 5);
  for (const method of ['GET', 'DELETE']) {
    const ask = (method) => fetch('/app/api/chat/chat-shared/stream', { method }).then(({ status }) => status);
    assert.equal(await bert.evaluate(ask, method), 204, `${method} finds nothing of his`);
  }
  const before = (await anna.textContent('#said')).length;
  await anna.waitForFunction((length) => document.querySelector('#said').textContent.length > length, before);
  assert.equal(callsFor(count)[0].isOver, false, 'hers goes on');
  await anna.click('#stop');
});
