/** Pages of other origins: with cookies and without, with headers that must be asked for first. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Server } from '../browser/support/server.js';
import { openPage, publish, site } from './support/setup.js';
import { Site } from './support/site.js';

/** A server that knows one other origin, which may send cookies, and a site before it, on a third one. */
let strict, far;
async function open() {
  if (far) return;
  strict = await Server.start({ TIDEWIRE_CORS_ORIGINS: site.otherUrl, TIDEWIRE_CORS_HEADERS: 'X-Trace', TIDEWIRE_RETRY: '100ms' });
  far = await Site.before(strict.url);
}
after(async () => {
  far?.close();
  await strict?.kill();
});

/** @param {import('playwright-core').Page} page @param {string} url @param {object} options */
function first(page, url, options) {
  return page.evaluate(
    ([url, options]) =>
      new Promise((done) => {
        const source = new window.tidewire.EventSource(url, options);
        source.onmessage = ({ data, origin }) => (source.close(), done({ data, origin }));
        source.onerror = ({ error }) => (source.close(), done({ code: error.code }));
      }),
    /** @type {const} */ ([url, options]),
  );
}

test('without credentials no cookie goes along, with them it does', async () => {
  await open();
  const page = await openPage(`${site.otherUrl}/page`);
  await page.context().addCookies([{ name: 'who', value: 'me', url: far.otherUrl }]);
  const response = await fetch(`${strict.url}/events/cookies`, { method: 'POST', body: '1' });
  assert.ok(response.ok);
  // The same name on another port: another origin, the same site, so that browsers do send the cookie.
  const url = `${far.otherUrl}/events/cookies?last_event_id=earliest`;
  assert.deepEqual(await first(page, url, {}), { data: '1', origin: far.otherUrl });
  assert.deepEqual(await first(page, url, { withCredentials: true }), { data: '1', origin: far.otherUrl });
  assert.deepEqual(far.requests.map(({ headers }) => headers.cookie), [undefined, 'who=me']);
  await page.context().close();
});

test('a header of its own is asked for first, and goes with each attempt', async () => {
  await open();
  const page = await openPage(`${site.otherUrl}/page`);
  await fetch(`${strict.url}/events/traced`, { method: 'POST', body: '1' });
  far.asked = [];
  far.requests = [];
  await page.evaluate((url) => {
    window.seen = [];
    let attempt = 0;
    const headers = async () => ({ 'X-Trace': `attempt ${(attempt += 1)}` });
    window.source = new window.tidewire.EventSource(`${url}/events/traced?last_event_id=earliest`, { headers });
    window.source.onmessage = ({ data }) => window.seen.push(data);
  }, far.otherUrl);
  await page.waitForFunction(() => window.seen.length === 1);
  far.cut();
  await fetch(`${strict.url}/events/traced`, { method: 'POST', body: '2' });
  await page.waitForFunction(() => window.seen.length === 2);
  assert.deepEqual(await page.evaluate(() => window.seen), ['1', '2']);
  assert.deepEqual(far.requests.map(({ headers }) => headers['x-trace']), ['attempt 1', 'attempt 2']);
  assert.ok(far.asked[0].startsWith('OPTIONS '), far.asked.join());
  assert.match(far.requests[1].headers['last-event-id'], /^~/);
  await page.context().close();
});

test('a server that does not know the page is no answer', async () => {
  await open();
  const page = await openPage(`${site.url}/page`);
  assert.deepEqual(await first(page, `${far.otherUrl}/events/cookies`, {}), { code: 'network' });
  await page.context().close();
});

test('what Tidewire tells in headers is read from other origins too: heartbeats, and that a POST resumes', async () => {
  const page = await openPage(`${site.otherUrl}/page`);
  await publish('open', '1');
  const told = await page.evaluate(async (url) => {
    const stream = window.tidewire.events(`${url}/subscribe`, { body: '{"topics":["open"],"last_event_id":"earliest"}' });
    await stream.opened;
    stream.close();
    return ['Tidewire-Resume', 'Tidewire-Heartbeat'].map((name) => stream.headers.get(name));
  }, site.url);
  assert.deepEqual(told, ['resumed', '1']);
  await page.context().close();
});

test('a server that answers no preflight is read on without the cursor, and the gap is told; with the header that mends it, nothing is lost', async () => {
  await open();
  const asked = [];
  let mended = false;
  far.answer = (request, response) => {
    if (request.url !== '/picky') return false;
    const cors = { 'Access-Control-Allow-Origin': '*' };
    asked.push(`${request.method} ${request.headers['last-event-id'] ?? ''}`.trim());
    if (request.method === 'OPTIONS' && !mended) response.writeHead(405, cors).end();
    else if (request.method === 'OPTIONS') response.writeHead(204, { ...cors, 'Access-Control-Allow-Headers': 'Last-Event-ID' }).end();
    else {
      const count = asked.filter((line) => line.startsWith('GET')).length;
      response.writeHead(200, { ...cors, 'Content-Type': 'text/event-stream' });
      response.write(`retry: 100\nid: ${count}\ndata: ${count}\n\n`, () => count < 3 && setTimeout(() => response.destroy(), 20));
    }
    return true;
  };
  const page = await openPage(`${site.otherUrl}/page`);
  const read = () =>
    page.evaluate(
      (url) =>
        new Promise((done) => {
          const seen = [];
          const source = new window.tidewire.EventSource(url);
          source.ongap = ({ gap }) => seen.push(gap.reason);
          source.onmessage = ({ data }) => {
            seen.push(data);
            if (data === '3') (source.close(), done(seen));
          };
        }),
      `${far.otherUrl}/picky`,
    );
  assert.deepEqual(await read(), ['1', 'cors', '2', 'cors', '3']);
  assert.deepEqual(asked.filter((line) => line !== 'OPTIONS'), ['GET', 'GET', 'GET']);
  assert.ok(asked.includes('OPTIONS'));
  asked.length = 0;
  mended = true;
  assert.deepEqual(await read(), ['1', '2', '3']);
  assert.deepEqual(asked.filter((line) => line !== 'OPTIONS'), ['GET', 'GET 1', 'GET 2']);
  far.answer = () => false;
  await page.context().close();
});
