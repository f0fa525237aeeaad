/**
 * The server, with its log in memory, dies and comes back with an empty one: the page says so, and does not hang.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText, connectByEventSource, newPage, topicOf, untilPhase, untilTyped } from './support/browser.js';
import { browser, server } from './support/setup.js';
import { publish } from './support/stream.js';

/** Retention cannot be waited for, so this stream is written down. */
const STREAM_WITH_HOLE = `id: ~e-1
event: delta
data: a

id: ~e-2
event: delta
data: b

id: ~e-24
event: tidewire.gap
data: {"requested":"~e-2","resumed_after":"~e-24","reason":"expired"}

id: ~e-25
event: delta
data: z

id: ~e-26
event: end
data: {"characters":26}

`;

test('killed and started again: reconnecting, then a gap notice, and a way on', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await page.click('#ask');
  await untilTyped(page, 20);
  const lostTopic = topicOf(page);

  await server.kill();
  await untilPhase(page, 'waiting');
  const arrived = await answerText(page);
  await page.locator('#answer-state', { hasText: /trying again in \d+ s$/ }).waitFor();
  assert.equal(await page.locator('#answer-notices > *').count(), 0, 'nothing is known to be lost yet');

  await server.startAgain();
  const notice = page.locator('#answer-notices [data-kind="gap"]');
  await notice.waitFor();
  assert.match(await notice.innerText(), /begun a new log/);
  await untilPhase(page, 'lost');
  assert.equal(await textBeforeHole(page), arrived, 'what had arrived must stay');

  await page.reload();
  await notice.waitFor();
  assert.equal(await textBeforeHole(page), arrived, 'also after a reload');

  await notice.getByRole('button', { name: 'Ask again' }).click();
  await page.waitForURL(({ hash }) => hash !== `#${lostTopic}`);
  await untilTyped(page, 5);
  assert.equal(await notice.count(), 0);
});

test('an address of an answer that no longer exists does not hang in silence', async () => {
  const page = await newPage(browser);
  await page.goto(`${server.url}/#demo/answer-gone`);
  await page.locator('#answer-notices [data-kind="quiet"]').waitFor();
  await page.locator('#answer-notices').getByRole('button', { name: 'Ask again' }).click();
  await untilTyped(page, 5);
  assert.equal(await page.locator('#answer-notices > *').count(), 0);
});

test('a question to a server that is away says so', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await server.kill();
  await page.click('#ask');
  const notice = page.locator('#answer-notices [data-kind="ask-failed"]');
  await notice.waitFor();
  assert.match(await notice.innerText(), /cannot be reached/);

  await server.startAgain();
  await page.click('#ask');
  await untilTyped(page, 5);
  assert.equal(await notice.count(), 0);
});

test('a hole in the middle is marked, and the text goes on after it', async () => {
  const page = await newPage(browser);
  await page.route('**/events/**', (route) =>
    route.fulfill({ contentType: 'text/event-stream', body: STREAM_WITH_HOLE }),
  );
  await page.goto(`${server.url}/#demo/answer-with-hole`);
  await untilPhase(page, 'done');
  assert.equal(await page.innerText('#answer-text'), 'ab … missing here … z');
  const notice = page.locator('#answer-notices [data-kind="gap"]');
  assert.match(await notice.innerText(), /away for longer than the server keeps events/);
  assert.match(await notice.innerText(), /goes on after the hole/);
});

test('the console shows the gap too, and the measured wait', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await connectByEventSource(page, 'restarts');
  await publish(server.url, 'restarts', 'before');
  await page.locator('#events .data', { hasText: /^before$/ }).waitFor();

  await server.kill();
  await page.locator('#ready-state', { hasText: '0 CONNECTING' }).waitFor();
  await server.startAgain();
  await page.locator('#console-notices [data-kind="gap"]').waitFor();
  await page.locator('#events .gap .type', { hasText: 'tidewire.gap' }).waitFor();
  assert.match(await page.textContent('#retry'), /^1,000 ms announced; last time it took [\d.]+ s$/);
  assert.equal(await page.textContent('#console-reconnects'), '1');

  await publish(server.url, 'restarts', 'after');
  await page.locator('#events .data', { hasText: /^after$/ }).waitFor();
});

/** @param {import('playwright-core').Page} page */
function textBeforeHole(page) {
  return page.locator('#answer-text').evaluate((element) => {
    const nodes = [...element.childNodes];
    const hole = nodes.findIndex((node) => node instanceof Element && node.className === 'hole');
    const before = nodes.slice(0, hole);
    return before.map((node) => node.textContent).join('');
  });
}
