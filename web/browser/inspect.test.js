/**
 * The inspector's page, in a real browser, before real streams.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, test } from 'node:test';
import { launch, newPage, troublesOf } from './support/browser.js';
import { Inspector, Upstream, look, openClient, openInspector, shownItems, stream, untilShown } from './support/inspector.js';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Upstream} */
let upstream;
/** @type {Inspector} */
let inspector;

before(async () => {
  browser = await launch();
  upstream = await Upstream.start();
});
beforeEach(async () => {
  await inspector?.kill();
  inspector = await Inspector.start(upstream.url);
});
after(async () => {
  await browser?.close();
  await inspector?.kill();
  upstream?.close();
});

/** Streams that the test writes to: each path's last response. @returns {Map<string, import('node:http').ServerResponse>} */
function byHand() {
  /** @type {Map<string, import('node:http').ServerResponse>} */
  const responses = new Map();
  upstream.answer = (request, response) => {
    request.resume();
    responses.set(String(request.url), stream(response));
  };
  return responses;
}

test('streams that are opened by fetch and by EventSource appear live', async () => {
  const page = await openInspector(browser, inspector.page);
  const troubles = troublesOf(page);
  assert.match(await page.innerText('#nothing'), /No event stream has gone through yet/);
  const responses = byHand();
  const client = await openClient(browser, inspector);
  await client.evaluate(() => {
    Object.assign(window, { texts: [] });
    const texts = /** @type {any} */ (window).texts;
    new EventSource('/by-eventsource').addEventListener('tick', ({ data }) => texts.push(data));
    void fetch('/by-fetch', { method: 'POST', body: '{}' }).then(async (response) => {
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) texts.push(new TextDecoder().decode(read.value));
    });
  });
  await look(page, '/by-eventsource');
  responses.get('/by-eventsource')?.write(': hi\nretry: 700\nid: 7\nevent: tick\ndata: one\n\n');
  await untilShown(page, 'one');
  assert.deepEqual(await shownItems(page), ['comment||hi', 'retry||come back after 700 ms', 'tick|7|one']);
  await look(page, 'POST /by-fetch');
  responses.get('/by-fetch')?.write('data: {"delta":"tide"}\n\n');
  await untilShown(page, '{"delta":"tide"}');
  assert.equal(await page.locator('#items .event .size').innerText(), '16 B');
  responses.get('/by-fetch')?.write('data: [DONE]\n\n');
  await untilShown(page, '[DONE]');
  assert.match(await page.locator('#items .event .gap').first().innerText(), /^\+[\d.]+ m?s$/);
  await page.locator('#intervals-text', { hasText: /^The last 1: median/ }).waitFor();
  await client.waitForFunction(() => /** @type {any} */ (window).texts.join('').includes('one') && /** @type {any} */ (window).texts.join('').includes('[DONE]'));
  responses.get('/by-fetch')?.end();
  await page.locator('#detail-state', { hasText: 'ended by the server' }).waitFor();
  assert.deepEqual(troubles, []);
});

test('a reader that comes back is side by side with what it was', async () => {
  let opened = 0;
  upstream.answer = (_, response) => {
    opened += 1;
    stream(response).write(`retry: 50\nid: ${opened}\ndata: of connection ${opened}\n\n`);
    if (opened < 3) setTimeout(() => response.destroy(), 50);
  };
  const page = await openInspector(browser, inspector.page);
  const client = await openClient(browser, inspector);
  await client.evaluate(() => void new EventSource('/events?topic=a'));
  await page.locator('#attempts tr').nth(2).waitFor();
  await untilShown(page, 'of connection 3');
  const cells = (/** @type {number} */ at) => page.locator(`#attempts tr td:nth-of-type(${at})`).allInnerTexts();
  assert.deepEqual(await cells(1), ['2', '1', '–'], 'what each came with, the newest first');
  assert.deepEqual(await cells(4), ['3', '2', '1'], 'the last id of each');
  assert.deepEqual((await cells(6)).map((text) => text.replace(/:.*/s, '')), ['open', 'connection cut', 'connection cut']);
  assert.match(await page.innerText('#resume'), /with the id of the last event that was seen there/);
  assert.equal(await page.innerText('#attempts-title'), '3 connections');
  await page.locator('#attempts button').last().click();
  await untilShown(page, 'of connection 1');
  assert.equal(await page.locator('#items .data').getByText('of connection 3').count(), 0);
  assert.equal(await page.locator('#resume').isVisible(), false);
});

test('a reader that forgets its id is told', async () => {
  upstream.answer = (_, response) => void stream(response).end('id: 5\ndata: x\n\n');
  const page = await openInspector(browser, inspector.page);
  for (let times = 0; times < 2; times += 1) await (await fetch(`${inspector.tap}/forgetful`)).text();
  await page.locator('#resume[data-kind="none"]').waitFor();
  assert.match(await page.innerText('#resume'), /without a Last-Event-ID, though the last event there had the id 5/);
});

test('what is shown can be filtered, searched and paused', async () => {
  const responses = byHand();
  const page = await openInspector(browser, inspector.page);
  const client = await openClient(browser, inspector);
  await client.evaluate(() => void new EventSource('/many'));
  await page.locator('#detail-title', { hasText: '/many' }).waitFor();
  const response = responses.get('/many');
  response?.write(': beat\nevent: price\ndata: gold\n\nevent: price\ndata: silver\n\ndata: other gold\n\n');
  await untilShown(page, 'other gold');
  await page.selectOption('#kind', 'type:price');
  assert.deepEqual(await shownItems(page), ['price||gold', 'price||silver']);
  await page.fill('#search', 'GOLD');
  assert.deepEqual(await shownItems(page), ['price||gold']);
  assert.equal(await page.innerText('#items-count'), '1 of 4 shown');
  await page.selectOption('#kind', 'comment');
  assert.equal(await page.innerText('#items-empty'), 'None that fits.');
  await page.fill('#search', '');
  assert.deepEqual(await shownItems(page), ['comment||beat']);
  await page.selectOption('#kind', '');
  assert.equal((await shownItems(page)).length, 4);

  await page.click('#pause');
  response?.write('data: while paused\n\n');
  await page.locator('#items-waiting', { hasText: '1 more' }).waitFor();
  assert.equal((await shownItems(page)).length, 4);
  await page.click('#pause');
  await untilShown(page, 'while paused');
  assert.equal(await page.innerText('#items-waiting'), '');
});

test('a download is a recording of what came, byte for byte', async () => {
  const body = 'id: 1\ndata: hä\n\n: note\r\n\r\ndata: 2\n\n';
  upstream.answer = (_, response) => void stream(response).end(body);
  const page = await openInspector(browser, inspector.page);
  const read = await fetch(`${inspector.tap}/file?access_token=hush`, { headers: { Authorization: 'Bearer hush' } });
  assert.equal(await read.text(), body);
  await page.locator('#detail-state', { hasText: 'ended by the server' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  assert.equal(download.suggestedFilename(), 'tidewire-stream-1.ndjson');
  const text = await readFile(await download.path(), 'utf8');
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines[0].recording, 'tidewire');
  assert.equal(lines[0].response.status, 200);
  assert.equal(lines.at(-1).ending, 'end');
  assert.equal(lines.slice(1, -1).map((line) => line.text).join(''), body);
  assert.doesNotMatch(text, /hush/);
  assert.doesNotMatch(await page.content(), /hush/);
});

test('raw bytes show what was sent, with its line ends', async () => {
  upstream.answer = (_, response) => {
    stream(response).write('data: a\r\n\r\n');
    setTimeout(() => response.end(Buffer.from([0xff, 0x00, 0x0a])), 30);
  };
  const page = await openInspector(browser, inspector.page);
  await (await fetch(`${inspector.tap}/raw`)).arrayBuffer();
  await page.locator('#detail-title', { hasText: '/raw' }).waitFor();
  await page.click('#view-raw');
  await page.locator('#items.raw li').nth(1).waitFor();
  const shown = await page.locator('#items.raw .data').allTextContents();
  assert.deepEqual(shown, ['ff 00 0a', 'data: a\\r\\n\n\\r\\n\n']);
  await page.click('#view-events');
  await untilShown(page, 'a');
  assert.deepEqual(await shownItems(page), ['message||a']);
});

test('what a stream says is text, whatever it says', async () => {
  const page = await openInspector(browser, inspector.page);
  const troubles = troublesOf(page);
  upstream.answer = (_, response) => {
    stream(response).end(`event: <b>type</b>\nid: <i>id</i>\ndata: ${HOSTILE}\u202egnp.exe\u001b[2J\n\n: ${HOSTILE}\n\n`);
  };
  const path = `/${encodeURIComponent('<u>path</u>')}?q=${encodeURIComponent(HOSTILE)}`;
  await (await fetch(inspector.tap + path, { headers: { 'Accept-Language': HOSTILE, 'X-Session': 'hush' } })).text();
  const event = page.locator('#items .event');
  await event.waitFor();
  assert.equal(await event.locator('.data').textContent(), `${HOSTILE}\\u202egnp.exe\\u001b[2J`);
  assert.equal(await event.locator('.type').textContent(), '<b>type</b>');
  assert.equal(await event.locator('.id').textContent(), '<i>id</i>');
  await page.click('.headers summary');
  const headers = await page.innerText('#request-headers');
  assert.match(headers, /<img src=x/);
  assert.doesNotMatch(headers, /hush/);
  assert.equal(await page.locator('main :is(img, script, b, i, u)').count(), 0);
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
  assert.deepEqual(troubles, []);
});

test('the doctor says what is wrong, and counts it at the top', async () => {
  upstream.answer = (_, response) => void stream(response).end('data: a\n\ndata: b\n\n');
  const page = await openInspector(browser, inspector.page);
  await (await fetch(`${inspector.tap}/ill`)).text();
  const finding = page.locator('.finding[data-code="no-ids"]');
  await finding.waitFor();
  assert.equal(await finding.locator('.badge').innerText(), 'warning');
  assert.match(await page.innerText('#findings-link'), /^Doctor: \d × warning/);
  assert.match(await page.innerText('#fine-count'), /^\d+ looked at and fine$/);
});

test('an answer that is no stream is shown as what it is', async () => {
  upstream.answer = (_, response) => void response.writeHead(401).end('no key');
  const page = await openInspector(browser, inspector.page);
  await (await fetch(`${inspector.tap}/refused`, { headers: { Accept: 'text/event-stream' } })).text();
  await page.locator('#detail-state', { hasText: 'answered 401, no stream' }).waitFor();
  assert.match(await page.innerText('#items-empty'), /Raw bytes shows what came instead/);
  await page.click('#view-raw');
  await untilShown(page, 'no key');
});

test('Chinese has every text', async () => {
  upstream.answer = (_, response) => void stream(response).end('retry: 5\nid: 1\ndata: a\n\n');
  const page = await openInspector(browser, inspector.page, { locale: 'zh-CN' });
  for (const id of ['nothing', 'about', 'passed']) assert.match(await page.innerText(`#${id}`), /\p{Script=Han}/u, id);
  for (let times = 0; times < 2; times += 1) await (await fetch(`${inspector.tap}/zh`)).text();
  await page.locator('.finding').first().waitFor();
  for (const id of ['detail-state', 'download', 'attempts-title', 'resume', 'intervals-text', 'facts', 'findings-title', 'findings-link', 'items-count', 'pause']) {
    assert.match(await page.innerText(`#${id}`), /\p{Script=Han}/u, id);
  }
  await page.click('[data-language="en"]');
  await page.locator('#pause', { hasText: 'Pause' }).waitFor();
  assert.doesNotMatch(await page.innerText('main'), /\p{Script=Han}/u);
  const { en, zh } = await page.evaluate(async () => {
    const module = '/assets/js/i18n.js';
    const { texts } = await import(module);
    const parameters = (text) => (text.match(/\{\w+\}/g) ?? []).toSorted();
    const shape = (language) => Object.entries(texts[language]).map(([key, text]) => [key, ...parameters(text)].join(' '));
    return { en: shape('en').toSorted(), zh: shape('zh').toSorted() };
  });
  assert.deepEqual(zh, en);
});

test('a phone shows everything, and nothing is wider than it', async () => {
  const long = 'a-long-word-without-any-break-'.repeat(12);
  upstream.answer = (_, response) => void stream(response).end(`event: ${long}\nid: ${long}\ndata: ${long}\n\ndata: b\n\n`);
  const page = await openInspector(browser, inspector.page, PHONE);
  for (let times = 0; times < 2; times += 1) await (await fetch(`${inspector.tap}/${long}`)).text();
  await untilShown(page, long);
  await page.locator('.finding').first().waitFor();
  await page.tap('.headers summary');
  await page.tap('#view-raw');
  await page.locator('#items.raw li').first().waitFor();
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  assert.equal(screen, PHONE.viewport.width);
  assert.ok(content <= screen, `the page is ${content} wide on a screen of ${screen}`);
});

test('the keyboard alone picks a stream and pauses', async () => {
  const responses = byHand();
  const page = await openInspector(browser, inspector.page);
  for (const path of ['/first', '/second']) void fetch(inspector.tap + path).catch(() => {});
  await page.locator('#groups li').nth(1).waitFor();
  const other = page.locator('#groups button[aria-current="false"]');
  const name = (await other.innerText()).includes('/first') ? '/first' : '/second';
  await other.focus();
  await page.keyboard.press('Enter');
  await page.locator('#detail-title', { hasText: name }).waitFor();
  responses.get(name)?.write('data: x\n\n');
  await untilShown(page, 'x');
  await page.focus('#search');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.innerText('#pause'), 'Resume');
  for (const response of responses.values()) response.end();
});

test('a page whose inspector is gone says so, and goes on with the next one', async () => {
  upstream.answer = (_, response) => void stream(response).end('data: before\n\n');
  const page = await openInspector(browser, inspector.page);
  await (await fetch(`${inspector.tap}/a`)).text();
  await untilShown(page, 'before');
  const { host } = new URL(inspector.page);
  await inspector.kill();
  await page.locator('.notice[data-kind="away"]').waitFor();
  inspector = await Inspector.start(upstream.url, host);
  await page.locator('.notice[data-kind="away"]').waitFor({ state: 'detached' });
  upstream.answer = (_, response) => void stream(response).end('data: afterwards\n\n');
  await (await fetch(`${inspector.tap}/b`)).text();
  await untilShown(page, 'afterwards');
  assert.equal(await page.locator('#groups li').count(), 1, 'what the other one had is gone with it');
});

test('what changes by itself all the time is in no live region', async () => {
  const page = await newPage(browser);
  await page.goto(inspector.page);
  for (const id of ['items', 'items-count', 'attempts', 'intervals-text', 'facts', 'passed']) {
    const live = page.locator(`#${id}`).locator('xpath=ancestor-or-self::*[@role="status" or @role="log" or @aria-live]');
    assert.equal(await live.count(), 0, id);
  }
});
