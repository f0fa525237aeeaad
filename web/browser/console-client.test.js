/**
 * The console reads by our client: a POST with a JSON body, an abort, and a way back after every cut.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { troublesOf, untilConsole } from './support/browser.js';
import { connectByClient, listed, openConsole, requestsOf, untilListed, untilReaders } from './support/console.js';
import { Network } from './support/network.js';
import { Server } from './support/server.js';
import { browser, server } from './support/setup.js';
import { presence, publish, publishMany } from './support/stream.js';

test('several topics come over one POST, each event with its topic', async () => {
  const page = await openConsole(browser, server.url);
  const troubles = troublesOf(page);
  const requests = requestsOf(page);
  await connectByClient(page, 'prices/gold, logs\nroom', { as: 'alice' });
  assert.equal(await page.textContent('#console-state'), 'open');
  assert.equal(await page.textContent('#resume'), 'live: from now on');
  const [subscribe] = requests.filter((request) => request.url().endsWith('/subscribe'));
  assert.equal(subscribe.method(), 'POST');
  const body = { topics: ['prices/gold', 'logs', 'room'], show: 'topic', as: 'alice', prime: true };
  assert.deepEqual(JSON.parse(subscribe.postData()), body);

  await publish(server.url, 'prices/gold', 'first\nsecond line', 'event=price');
  await publish(server.url, 'logs', '房间 🌊');
  await publish(server.url, 'elsewhere', 'not for us');
  await untilListed(page, '房间 🌊');
  assert.deepEqual(await listed(page), ['first\nsecond line', '房间 🌊']);
  assert.deepEqual(await page.locator('#events .topic').allTextContents(), ['logs', 'prices/gold']);
  assert.deepEqual(await page.locator('#events .type').allTextContents(), ['message', 'price']);
  assert.deepEqual(troubles, []);
});

test('abort closes the connection at the server, and nothing comes after it', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'aborted');
  await untilReaders(page, 1);
  assert.equal((await presence(server.url, 'aborted')).readers, 1);
  assert.equal(await page.textContent('#disconnect'), 'Abort');

  const requests = requestsOf(page);
  await page.click('#disconnect');
  assert.equal(await page.textContent('#console-state'), 'aborted');
  await untilReaders(page, 0);
  assert.equal((await presence(server.url, 'aborted')).readers, 0);
  assert.ok(await page.locator('#disconnect').isDisabled());

  await publish(server.url, 'aborted', 'too late');
  await sleep(2_500); // longer than a wait before a reconnection
  assert.equal(await page.locator('#events li').count(), 0);
  assert.deepEqual(requests.filter((request) => request.url().endsWith('/subscribe')), []);
});

test('an abort while waiting stays one', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openConsole(browser, network.url);
    await connectByClient(page, 'abort-waiting');
    await goOffline(page, network);
    await untilConsole(page, 'waiting');
    await page.click('#disconnect');
    await untilConsole(page, 'aborted');
    await page.context().setOffline(false);
    await sleep(500);
    assert.equal(await page.textContent('#console-state'), 'aborted');
  } finally {
    network.close();
  }
});

test('an end of the stream is the end, for a first connection too', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'finite');
  const requests = requestsOf(page);
  await publish(server.url, 'finite', 'the last', 'end=true');
  await untilConsole(page, 'ended');
  await page.locator('#console-notices [data-kind="ended"]').waitFor();
  assert.deepEqual(await listed(page), ['the last']);
  await sleep(2_500);
  const [question, ...more] = requests;
  const answer = await question.response();
  assert.equal(await answer.text(), '', 'the body has ended: is that all? It is');
  assert.deepEqual(more, [], 'nobody comes back after an end');

  const lastId = await page.textContent('#console-last-id');
  await page.fill('#start', lastId);
  await page.click('#connect');
  await untilConsole(page, 'ended');
  assert.deepEqual(await listed(page), ['the last']);
});

test('a refusal shows the problem, and is not tried again', async () => {
  const page = await openConsole(browser, server.url);
  const requests = requestsOf(page);
  await page.check('#by-client');
  for (const [topics, as, status] of [['', '', 400], ['x'.repeat(2_000), '', 422], ['a', 'x'.repeat(200), 400]]) {
    await page.fill('#topic', topics);
    await page.fill('#as', as);
    await page.click('#connect');
    await untilConsole(page, 'refused');
    const body = JSON.stringify({ topics: topics === '' ? [] : [topics], as: as || undefined });
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${server.url}/subscribe`, { method: 'POST', headers, body });
    assert.equal(response.status, status);
    const { detail } = await response.json();
    const notice = page.locator('#console-notices [data-kind="refused"]').filter({ hasText: detail });
    await notice.waitFor();
    assert.ok((await notice.innerText()).includes(`It answered ${status}: ${detail}`));
  }
  await sleep(2_500);
  assert.equal(requests.filter((request) => request.url().endsWith('/subscribe')).length, 3);
});

test('cuts of the network neither lose nor repeat an event', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openConsole(browser, network.url);
    // An id that is no ASCII, as EventSource could send it back too.
    await connectByClient(page, 'cut-1, cut-2');
    await publish(server.url, 'cut-1', '0', `id=${encodeURIComponent('début-潮')}`);
    await untilListed(page, '0');
    const requests = requestsOf(page);
    const sent = ['0'];
    for (let round = 1; round <= 3; round += 1) {
      network.cut();
      for (let number = 0; number < 5; number += 1) {
        sent.push(`${round}.${number}`);
        await publish(server.url, `cut-${1 + (number % 2)}`, sent.at(-1));
      }
      await untilListed(page, sent.at(-1));
      await page.locator('#console-reconnects').getByText(String(round), { exact: true }).waitFor();
    }
    assert.deepEqual(await listed(page), sent);
    assert.equal(await page.textContent('#resume'), 'resumed: nothing missed');
    const [first] = requests.filter((request) => request.url().endsWith('/subscribe'));
    const id = Buffer.from((await first.allHeaders())['last-event-id'], 'latin1').toString();
    assert.ok(['début-潮', Buffer.from('début-潮').toString('latin1')].includes(id), id);
  } finally {
    network.close();
  }
});

test('a cut before the first event loses nothing either', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openConsole(browser, network.url);
    await connectByClient(page, 'cut-early');
    network.cut();
    await publish(server.url, 'cut-early', 'while away');
    await untilListed(page, 'while away');
    assert.equal(await page.textContent('#resume'), 'resumed: nothing missed');
  } finally {
    network.close();
  }
});

test('offline: waits with a countdown; online: goes on at once with what was missed', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await openConsole(browser, network.url);
    await connectByClient(page, 'offline');
    await publish(server.url, 'offline', 'before');
    await untilListed(page, 'before');
    await goOffline(page, network);
    await page.locator('#console-notices [data-kind="trouble"]', { hasText: /cannot be reached/ }).waitFor();
    await page.locator('#console-state', { hasText: /trying again in \d+ s$/ }).waitFor();
    await publish(server.url, 'offline', 'meanwhile');
    await page.context().setOffline(false);
    await untilListed(page, 'meanwhile');
    await untilConsole(page, 'open');
    assert.deepEqual(await listed(page), ['before', 'meanwhile']);
    assert.equal(await page.locator('#console-notices > *').count(), 0);
  } finally {
    network.close();
  }
});

test('a connection that dies without a word is known by its missing heartbeats', async () => {
  const beating = await Server.start({ TIDEWIRE_HEARTBEAT: '1s' });
  const network = await Network.before(beating.url);
  try {
    const page = await openConsole(browser, network.url);
    await connectByClient(page, 'silent');
    network.stall();
    await publish(beating.url, 'silent', 'into the void');
    await untilListed(page, 'into the void');
    assert.deepEqual(await listed(page), ['into the void']);
    assert.equal(await page.textContent('#console-reconnects'), '1');
  } finally {
    network.close();
    await beating.kill();
  }
});

test('a passing 503 is said, and tried again', async () => {
  const page = await openConsole(browser, server.url);
  const problem = { status: 503, title: 'Service Unavailable', detail: 'draining: come back' };
  await page.route('**/subscribe', (route) =>
    route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) }),
  );
  await page.check('#by-client');
  await page.click('#connect');
  await page.locator('#console-notices [data-kind="trouble"]', { hasText: problem.detail }).waitFor();
  await page.unroute('**/subscribe');
  await untilConsole(page, 'open');
  assert.equal(await page.locator('#console-notices > *').count(), 0);
});

test('an answer that is no event stream is refused', async () => {
  const page = await openConsole(browser, server.url);
  await page.route('**/subscribe', (route) => route.fulfill({ contentType: 'text/html', body: '<p>Log in' }));
  await page.check('#by-client');
  await page.click('#connect');
  await untilConsole(page, 'refused');
  await page.locator('#console-notices [data-kind="refused"]', { hasText: 'text/html' }).waitFor();
});

test('a killed and restarted server: waiting, then a gap, then on it goes', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'restarts', { as: 'alice' });
  await publish(server.url, 'restarts', 'before');
  await untilListed(page, 'before');
  await server.kill();
  await untilConsole(page, 'waiting');
  await server.startAgain();
  await untilConsole(page, 'open');
  await page.locator('#console-notices [data-kind="gap"]', { hasText: 'begun a new log' }).waitFor();
  assert.equal(await page.textContent('#resume'), 'gap: a part is gone');
  await publish(server.url, 'restarts', 'after');
  await untilListed(page, 'after');
  assert.deepEqual(await listed(page), ['before', 'after']);
  await untilReaders(page, 1); // the room is back too
  assert.equal(await page.textContent('#room-names'), 'alice');
});

test('ten thousand events are read and counted, and the page keeps a bounded part of them', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'flood');
  const lines = Array.from({ length: 10_000 }, (_, index) => JSON.stringify({ data: `event ${index + 1}` }));
  const elements = () => page.evaluate(() => document.getElementsByTagName('*').length);

  const published = publishMany(server.url, 'flood', lines);
  await page.click('#pause'); // a page that is frozen would not take it
  await page.click('#pause');
  await published;
  await page.locator('#events-count', { hasText: /^10,000 arrived$/ }).waitFor();
  await untilListed(page, 'event 10000');
  assert.equal(await page.locator('#events li').count(), 500);
  assert.match(await page.textContent('#events-dropped'), /^9,500 older events/);
  assert.deepEqual((await listed(page)).slice(0, 2), ['event 9501', 'event 9502']);

  const before = await elements();
  await publishMany(server.url, 'flood', lines);
  await page.locator('#events-count', { hasText: /^20,000 arrived$/ }).waitFor();
  await untilListed(page, 'event 10000');
  assert.equal(await elements(), before, 'twice as many events take no more room');
  assert.equal(await page.textContent('#console-reconnects'), '0');
  assert.equal(await page.locator('#console-notices > *').count(), 0, 'no gap: the page kept up');
});

/**
 * Chromium leaves connections alone that are open when it goes offline; a network does not.
 * @param {import('playwright-core').Page} page
 * @param {Network} network
 */
async function goOffline(page, network) {
  await page.context().setOffline(true);
  network.cut();
}
