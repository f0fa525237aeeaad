/**
 * The typing answer survives: reload, a second tab.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerText, newPage, topicOf, troublesOf, typeAt, untilPhase, untilTyped } from './support/browser.js';
import { browser, server } from './support/setup.js';
import { ask, wholeAnswer } from './support/stream.js';

const TYPING_SPEED = 100;

test('an answer types itself to the end', async () => {
  const page = await newPage(browser);
  const troubles = troublesOf(page);
  await page.goto(server.url);
  await untilPhase(page, 'idle');

  await typeAt(page, TYPING_SPEED);
  await page.click('#ask');
  await untilPhase(page, 'open');
  await untilTyped(page, 1);
  const early = await answerText(page);
  await untilPhase(page, 'done');

  const whole = await wholeAnswer(server.url, topicOf(page));
  assert.ok(early.length < whole.length, 'it came in one piece');
  assert.equal(await answerText(page), whole);
  assert.equal(await page.textContent('#answer-characters'), String([...whole].length));
  assert.match(await page.textContent('#answer-last-id'), /^~[0-9a-z]+-\d+$/);
  assert.equal(await page.textContent('#answer-reconnects'), '0');
  assert.equal(await page.locator('#answer-notices > *').count(), 0);
  assert.deepEqual(troubles, []);
});

test('reloads in mid-answer neither lose nor repeat a character', async () => {
  const page = await newPage(browser);
  const cursors = cursorsOf(page);
  const topic = await ask(server.url, TYPING_SPEED);
  await page.goto(`${server.url}/#${topic}`);

  const moments = [];
  for (let reload = 0; reload < 6; reload += 1) {
    await untilTyped(page, 1);
    const pause = Math.random() * 500;
    moments.push(Math.round(pause));
    await sleep(pause);
    const before = await answerText(page);
    await page.reload();
    const painted = await answerText(page);
    assert.ok(painted.startsWith(before), `reload ${reload} lost text, pauses ${moments}`);
  }
  await untilPhase(page, 'done');

  const whole = await wholeAnswer(server.url, topic);
  assert.equal(await answerText(page), whole, `pauses before reloads: ${moments} ms`);
  assert.ok((await page.locator('.seam[data-kind="reload"]').count()) > 0, 'no reload met the typing');
  const [first, ...later] = cursors;
  assert.equal(first, 'earliest');
  assert.ok(later.length > 0);
  for (const cursor of later) assert.match(cursor, /^~/, 'a reload must go on, not begin again');
});

test('a reload after the end shows the whole answer without a connection', async () => {
  const page = await newPage(browser);
  const topic = await ask(server.url, 1_000);
  await page.goto(`${server.url}/#${topic}`);
  await untilPhase(page, 'done');
  const cursors = cursorsOf(page);
  await page.reload();
  await untilPhase(page, 'done');
  assert.equal(await answerText(page), await wholeAnswer(server.url, topic));
  assert.deepEqual(cursors, []);
});

test('a tab that missed only the end of the stream learns it from the 204', async () => {
  const page = await newPage(browser);
  const topic = await ask(server.url, 1_000);
  await page.goto(`${server.url}/#${topic}`);
  await untilPhase(page, 'done');
  await page.evaluate(() => {
    const key = 'tidewire.answer';
    const state = JSON.parse(sessionStorage.getItem(key) ?? '');
    sessionStorage.setItem(key, JSON.stringify({ ...state, fate: 'typing' }));
  });
  await page.reload();
  await untilPhase(page, 'done');
  assert.equal(await answerText(page), await wholeAnswer(server.url, topic));
});

test('two tabs show the same answer', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await typeAt(page, TYPING_SPEED);
  await page.click('#ask');
  await untilTyped(page, 20);

  const [second] = await Promise.all([page.waitForEvent('popup'), page.click('#second-tab')]);
  assert.equal(topicOf(second), topicOf(page));
  await Promise.all([untilPhase(page, 'done'), untilPhase(second, 'done')]);

  const whole = await wholeAnswer(server.url, topicOf(page));
  assert.equal(await answerText(page), whole);
  assert.equal(await answerText(second), whole);
});

test('going back shows the answer before', async () => {
  const page = await newPage(browser);
  const [one, other] = await Promise.all([ask(server.url, 1_000), ask(server.url, 1_000)]);
  await page.goto(`${server.url}/#${one}`);
  await untilPhase(page, 'done');
  await page.evaluate((topic) => (location.hash = topic), other);
  await untilPhase(page, 'done');
  await page.goBack();
  await untilPhase(page, 'done');
  assert.equal(topicOf(page), one);
  assert.equal(await answerText(page), await wholeAnswer(server.url, one));
});

test('a text that is shorter than the server says is called incomplete', async () => {
  const page = await newPage(browser);
  const topic = await ask(server.url, 1_000);
  await page.goto(`${server.url}/#${topic}`);
  await untilPhase(page, 'done');
  await page.evaluate(() => {
    const key = 'tidewire.answer';
    const state = JSON.parse(sessionStorage.getItem(key) ?? '');
    sessionStorage.setItem(key, JSON.stringify({ ...state, text: state.text.slice(1) }));
  });
  await page.reload();
  await untilPhase(page, 'done');
  await page.locator('#answer-notices [data-kind="short"]').waitFor();
});

/**
 * The cursors with which a page subscribes from now on.
 * @param {import('playwright-core').Page} page
 */
function cursorsOf(page) {
  /** @type {string[]} */
  const cursors = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    const cursor = request.headers()['last-event-id'] ?? searchParams.get('last_event_id');
    if (pathname.startsWith('/events/')) cursors.push(cursor ?? '');
  });
  return cursors;
}
