/**
 * A page of another origin can neither publish into the hub nor read from it.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newPage } from './support/browser.js';
import { Network } from './support/network.js';
import { browser, server } from './support/setup.js';
import { publish, readToEnd } from './support/stream.js';

/** @type {import('node:http').Server} */
let stranger;
let strangerUrl = '';

before(async () => {
  stranger = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Stranger</title><p>Hello');
  });
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  strangerUrl = `http://127.0.0.1:${stranger.address().port}`;
});
after(async () => {
  stranger?.close();
});

/** Ways to send a POST from a page, each without a preflight. */
const attempts = {
  'a fetch': (url) => void fetch(url, { method: 'POST', body: 'intruder' }).catch(() => {}),
  'a fetch that asks for no answer': (url) =>
    void fetch(url, { method: 'POST', mode: 'no-cors', body: 'intruder' }),
  'a form': (url) => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', enctype: 'text/plain', action: url });
    document.body.append(form);
    form.submit();
  },
  'a sandboxed frame, whose origin is null': (url) => {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    frame.srcdoc = `<script>fetch('${url}', { method: 'POST', mode: 'no-cors', body: 'intruder' })</script>`;
    document.body.append(frame);
  },
};

for (const [name, attempt] of Object.entries(attempts)) {
  test(`cannot publish by ${name}`, async () => {
    const topic = `guarded-${name.replaceAll(/\W+/g, '-')}`;
    assert.equal(await statusOf(attempt, `/events/${topic}`), 403);

    await publish(server.url, topic, 'the only one', 'end=true');
    const events = await readToEnd(server.url, topic);
    assert.deepEqual(events.map(({ data }) => data), ['the only one']);
  });
}

test('cannot begin an answer', async () => {
  assert.equal(await statusOf(attempts['a fetch'], '/demo/answers'), 403);
});

test('cannot read, by EventSource or fetch', async () => {
  await publish(server.url, 'private', 'secret');
  const url = `${server.url}/events/private?last_event_id=earliest`;

  const own = await newPage(browser);
  await own.goto(server.url);
  assert.equal(await own.evaluate(firstEvent, url), 'secret', 'our own page can: the test is sound');

  const foreign = await newPage(browser);
  await foreign.goto(strangerUrl);
  assert.equal(await foreign.evaluate(firstEvent, url), null);
  const refused = await foreign.evaluate(
    (address) => fetch(address).then(() => 'readable', (error) => error.name),
    url,
  );
  assert.equal(refused, 'TypeError');
});

/**
 * What the server answers to a stranger's attempt. Seen on the wire, since the browser hides it.
 * @param {(url: string) => void} attempt
 * @param {string} path
 */
async function statusOf(attempt, path) {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    await page.goto(strangerUrl);
    await page.evaluate(attempt, network.url + path);
    while (network.statuses.length === 0) await sleep(20);
    return network.statuses[0];
  } finally {
    network.close();
  }
}

/** The data of the first event of a stream, null if the browser gives it up. */
function firstEvent(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    const settle = (outcome) => {
      source.close();
      resolve(outcome);
    };
    source.onmessage = (event) => settle(event.data);
    source.onerror = () => source.readyState === EventSource.CLOSED && settle(null);
  });
}
