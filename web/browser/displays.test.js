/**
 * The pages tell what the client does: its state, its attempts and why they failed, bytes, gaps, and how fast events come.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectByEventSource, newPage, untilConsole, untilPhase, untilTyped } from './support/browser.js';
import { answerTo, askChat, openChat, untilChat, untilSaid } from './support/chat.js';
import { connectByClient, openConsole, untilListed } from './support/console.js';
import { Network } from './support/network.js';
import { Server } from './support/server.js';
import { browser, server } from './support/setup.js';
import { ask, publish, publishMany } from './support/stream.js';

const RESUMED = 'The server says resumed: nothing missed.';

/** The entries of a journal, oldest first, with what is different each time taken out. @param {import('playwright-core').Locator} list */
async function journal(list) {
  const rows = await list.locator('li > span').allTextContents();
  return rows.reverse().map((row) => row.replaceAll(/[\d.]+ (ms|s)\b/g, '<time>'));
}

/** @param {import('playwright-core').Locator} list @param {number} count */
async function untilEntries(list, count) {
  await list.locator('li').nth(count - 1).waitFor();
}

test('an answer over a cut: each attempt, how long it was away, and the bytes of all connections', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    const topic = await ask(server.url, 100);
    await page.goto(network.url);
    assert.ok(await page.isHidden('#answer-live'), 'nothing to tell before there is a stream');
    assert.equal(await page.textContent('#answer-bytes'), '–');
    await page.goto(`${network.url}/#${topic}`);
    const list = page.locator('#answer-journal');
    await untilTyped(page, 20);
    network.cut();
    await untilEntries(list, 3);
    await untilPhase(page, 'done');
    assert.deepEqual(await journal(list), [
      `Open, at attempt 1. ${RESUMED}`,
      'Lost: the connection broke. The next one is in <time>.',
      `Open, at attempt 2. Was away for <time>. ${RESUMED}`,
      'Closed by this page.',
    ]);
    assert.equal(await page.textContent('#answer-reconnects'), '1');
    assert.equal(await page.textContent('#answer-gaps'), '0');
    // About 40 bytes stand around each character.
    const [, kib] = /^([\d.]+) KiB$/.exec(await page.textContent('#answer-bytes')) ?? [];
    assert.ok(Number(kib) * 1024 > 30 * Number((await page.textContent('#answer-characters')).replaceAll(',', '')), `${kib} KiB`);
    await page.locator('#answer-rate-text', { hasText: / in all, during the last minute/ }).waitFor();
    assert.match(await page.getAttribute('#answer-rate-path', 'd'), /^M\d+ 40v-/);
    assert.match(await page.textContent('#answer-intervals-text'), /^The last 120: median [\d.]+ ms, longest [\d.]+ m?s, newest/);
    const bars = (await page.getAttribute('#answer-intervals-path', 'd')).split('z').length - 1;
    assert.equal(bars, 120);
  } finally {
    network.close();
  }
});

test('bytes and gaps are counted to the letter', async () => {
  const body = 'id: ~e-1\nevent: delta\ndata: 潮\n\nid: ~e-9\nevent: tidewire.gap\n'
    + 'data: {"requested":"~e-1","resumed_after":"~e-9","reason":"expired"}\n\nid: ~e-10\nevent: end\ndata: {}\n\n';
  const page = await newPage(browser);
  await page.route('**/events/**', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
  await page.goto(`${server.url}/#demo/answer-counted`);
  await untilPhase(page, 'done');
  assert.equal(await page.textContent('#answer-bytes'), `${Buffer.byteLength(body)} B`);
  assert.equal(await page.textContent('#answer-gaps'), '1');
  const list = page.locator('#answer-journal');
  await untilEntries(list, 3);
  assert.deepEqual(await journal(list), [
    'Open, at attempt 1.',
    'Events are gone (expired). It goes on after ~e-9.',
    'Closed by this page.',
  ]);
  assert.equal(await list.locator('li[data-kind="gap"]').count(), 1);
});

test('while the server is away: which attempt failed, why, and when the next one is; then what was lost', async () => {
  const own = await Server.start();
  try {
    const page = await openConsole(browser, own.url);
    await connectByClient(page, 'away');
    await publish(own.url, 'away', 'before');
    await untilListed(page, 'before');
    const list = page.locator('#journal');
    assert.ok(await page.isHidden('#console-cause'));
    await own.kill();
    await untilConsole(page, 'waiting');
    await page.locator('#console-cause').getByText('Last attempt: no answer.', { exact: true }).waitFor();
    await untilEntries(list, 3);
    await own.startAgain();
    await page.locator('#console-gaps').getByText('1', { exact: true }).waitFor();
    await untilConsole(page, 'open');
    assert.ok(await page.isHidden('#console-cause'), 'it is over');
    const told = await journal(list);
    const failures = told.slice(2, -2);
    assert.ok(failures.length > 0);
    for (const [index, row] of failures.entries()) {
      assert.equal(row, `Attempt ${index + 2} failed: no answer. The next one is in <time>.`);
    }
    assert.deepEqual(told.slice(0, 2), [
      'Open, at attempt 1. The server says live: from now on.',
      'Lost: the connection broke. The next one is in <time>.',
    ]);
    assert.equal(told.at(-2), `Open, at attempt ${failures.length + 2}. Was away for <time>. The server says gap: a part is gone.`);
    assert.match(told.at(-1) ?? '', /^Events are gone \(reset\)\. It goes on after ~\w+-\d+\.$/);
  } finally {
    await own.kill();
  }
});

test('a refusal that passes, and an end', async () => {
  const page = await openConsole(browser, server.url);
  await page.route('**/subscribe', (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, body: 'draining' }));
  await page.fill('#topic', 'passes');
  await page.click('#connect');
  await page.locator('#console-cause').getByText('Last attempt: the server answered 503.', { exact: true }).waitFor();
  await page.unroute('**/subscribe');
  await untilConsole(page, 'open');
  await publish(server.url, 'passes', 'the last', 'end=true');
  await untilConsole(page, 'ended');
  const told = await journal(page.locator('#journal'));
  assert.equal(told[0], 'Attempt 1 failed: the server answered 503. The next one is in <time>.');
  const opened = told.findIndex((row) => row.startsWith('Open'));
  assert.deepEqual(told.slice(opened), [
    `Open, at attempt ${opened + 1}. The server says live: from now on.`,
    'The body ended: asks whether there is more.',
    `Open, at attempt ${opened + 2}. ${RESUMED}`,
    'Ended: everything has arrived.',
  ]);
  assert.equal(await page.textContent('#console-reconnects'), '0', 'a question is no loss');
});

test('what EventSource does not tell, the page does not make up', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openConsole(browser, network.url);
    await connectByEventSource(page, 'untold');
    await publish(server.url, 'untold', 'one');
    await untilListed(page, 'one');
    assert.equal(await page.textContent('#console-bytes'), 'not told');
    network.cut();
    const list = page.locator('#journal');
    await untilEntries(list, 3);
    assert.deepEqual(await journal(list), [
      'Open.', 'Lost: EventSource does not say why.', 'Open. Was away for <time>.',
    ]);
  } finally {
    network.close();
  }
});

test('a stream on which nothing comes is not drawn again and again', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'quiet');
  await publishMany(server.url, 'quiet', ['{"data":"1"}', '{"data":"2"}']);
  await untilListed(page, '2');
  await page.locator('#intervals-text', { hasText: /^The last 1: median/ }).waitFor();
  const changes = await page.evaluate(async () => {
    /** @type {string[]} */
    const seen = [];
    const observer = new MutationObserver((records) => {
      for (const { target } of records) seen.push(target instanceof Element ? target.id : String(target.parentElement?.id));
    });
    const places = ['intervals', 'journal', 'answer-live', 'console-notices'];
    for (const id of places) {
      const place = /** @type {HTMLElement} */ (document.getElementById(id));
      observer.observe(place, { subtree: true, childList: true, characterData: true, attributes: true });
    }
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    return seen;
  });
  assert.deepEqual(changes, []);
});

test('a language that is changed changes the journal and the words of the plots', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'translated');
  await publishMany(server.url, 'translated', ['{"data":"1"}', '{"data":"2"}']);
  await untilListed(page, '2');
  const places = ['#journal li span', '#intervals-text', '#rate-text'];
  await page.click('[data-language="zh"]');
  for (const place of places) await page.locator(place, { hasText: /\p{Script=Han}/u }).waitFor();
  await page.click('[data-language="en"]');
  for (const place of places) assert.doesNotMatch(await page.textContent(place), /\p{Script=Han}/u, place);
  assert.deepEqual(await journal(page.locator('#journal')), ['Open, at attempt 1. The server says live: from now on.']);
});

test('the chat tells it too, when it is opened', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openChat(browser, network.url);
    await askChat(page, 'What did you do?');
    const answer = answerTo(page, 'What did you do?');
    await untilSaid(answer, 20);
    const list = answer.locator('[data-part="journal"]');
    assert.ok(await list.isHidden());
    await answer.locator('.client summary').click();
    await untilEntries(list, 1);
    network.cut();
    await answer.locator('[data-part="cause"]').getByText('Last attempt: the connection broke.', { exact: true }).waitFor();
    await untilEntries(list, 3);
    await untilChat(answer, 'typing');
    assert.ok(await answer.locator('[data-part="cause"]').isHidden());
    assert.equal(await answer.locator('[data-part="reconnects"]').textContent(), '1');
    assert.match(await answer.locator('[data-part="bytes"]').textContent(), /^[\d.]+ (B|KiB)$/);
    await answer.locator('[data-part="intervals"] p', { hasText: /^The last \d+: median/ }).waitFor();
    await answer.locator('[data-part="stop"]').click();
    await untilChat(answer, 'stopped');
  } finally {
    network.close();
  }
});

test('on a phone the plots and the journal are no wider than the page', async () => {
  const page = await newPage(browser, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const topic = await ask(server.url, 100);
  await page.goto(`${server.url}/#${topic}`);
  await untilTyped(page, 20);
  await page.locator('#answer-journal li').first().waitFor();
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  assert.ok(content <= screen, `the page is ${content} wide on a screen of ${screen}`);
  const inside = await page.evaluate(() =>
    [...document.querySelectorAll('#answer-live *')].every((one) => one.getBoundingClientRect().right <= innerWidth));
  assert.ok(inside, 'nothing is cut off');
});
