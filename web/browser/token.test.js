/**
 * A server that wants tokens: the page says so, and everything works once it has one.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { launch, newPage, troublesOf, typeAt, untilConsole, untilPhase, untilTyped } from './support/browser.js';
import { connectByClient, openConsole, requestsOf, untilListed, untilReaders } from './support/console.js';
import { Server } from './support/server.js';

const run = promisify(execFile);
const PUBLISH = 'publish-0123456789';
const READ = 'read-0123456789';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Server} */
let server;

before(async () => {
  server = await Server.start({ TIDEWIRE_PUBLISH_TOKEN: PUBLISH, TIDEWIRE_READ_TOKEN: READ, TIDEWIRE_DEMO: 'true' });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.kill();
});

/** @param {import('playwright-core').Page} page @param {string} token */
async function enterToken(page, token) {
  await page.fill('#token', token);
  await page.press('#token', 'Tab');
}

test('the page loads without a token, says that one is wanted, and reads by what can send it', async () => {
  const page = await newPage(browser);
  const troubles = troublesOf(page);
  await page.goto(server.url);
  await page.locator('#access', { hasText: 'wants a token to read and to publish' }).waitFor();
  assert.ok(await page.isChecked('#by-client'));
  assert.ok(await page.isHidden('#token-in-address'));
  assert.deepEqual(troubles, []);

  await page.click('#connect');
  await untilConsole(page, 'refused');
  await page.locator('#console-notices', { hasText: 'It answered 401' }).waitFor();
  await page.locator('#room-state', { hasText: 'Not told' }).waitFor();
  await page.click('#send');
  await page.locator('#publish-result[data-outcome="refused"]', { hasText: /^401 / }).waitFor();
});

test('with the publish token everything works, and the token goes in headers only', async () => {
  const page = await openConsole(browser, server.url);
  const requests = requestsOf(page);
  await enterToken(page, PUBLISH);
  await connectByClient(page, 'guarded', { as: 'alice' });
  await untilReaders(page, 1);
  await page.click('#send');
  await untilListed(page, 'hello, tide');

  const shown = await page.evaluate(() => [
    JSON.stringify(localStorage),
    JSON.stringify(sessionStorage),
    document.cookie,
    document.body.innerText,
    location.href,
  ]);
  for (const text of shown) assert.ok(!text.includes(PUBLISH), text);
  for (const request of requests) assert.ok(!request.url().includes(PUBLISH), request.url());
  const subscribe = requests.find((request) => request.url().endsWith('/subscribe'));
  assert.equal((await subscribe.allHeaders()).authorization, `Bearer ${PUBLISH}`);

  await page.reload();
  await page.locator('#access').waitFor();
  assert.equal(await page.inputValue('#token'), '');
});

test('a read token reads, and is told that it may not publish', async () => {
  const page = await openConsole(browser, server.url);
  await enterToken(page, READ);
  await connectByClient(page, 'readable');
  await page.click('#send');
  await page.locator('#publish-result[data-outcome="refused"]', { hasText: /^403 / }).waitFor();
});

test('EventSource gets the token by the address, and the page says so', async () => {
  const page = await openConsole(browser, server.url);
  await enterToken(page, READ);
  await page.check('#by-eventsource');
  assert.match(await page.innerText('#token-in-address'), /cannot send headers/);
  const requests = requestsOf(page);
  await page.click('#connect');
  await untilConsole(page, 'open');
  const stream = requests.find((request) => request.url().includes('/events/'));
  assert.equal(new URL(stream.url()).searchParams.get('access_token'), READ);
});

test('a text that cannot be a token is not sent', async () => {
  const page = await openConsole(browser, server.url);
  await enterToken(page, 'two words ä');
  await page.locator('#token-fault', { hasText: 'not sent' }).waitFor();
  assert.equal(await page.getAttribute('#token', 'aria-invalid'), 'true');
  const requests = requestsOf(page);
  await page.click('#connect');
  await untilConsole(page, 'refused');
  assert.equal((await requests[0].allHeaders()).authorization, undefined);
});

test('an answer asks for the token, and types on once it is there', async () => {
  const page = await openConsole(browser, server.url);
  await typeAt(page, 100);
  await page.click('#ask');
  await page.locator('#answer-notices [data-kind="refused"]', { hasText: 'It answered 401' }).waitFor();
  await page.getByRole('button', { name: 'Enter a token' }).click();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'token');
  await page.keyboard.type(READ);
  await page.keyboard.press('Tab');
  await untilTyped(page, 5);
  assert.equal(await page.locator('#answer-notices > *').count(), 0);
  await untilPhase(page, 'done');
});

test('the curl commands name the token, and work with it', async () => {
  const page = await openConsole(browser, server.url);
  await enterToken(page, PUBLISH);
  await page.fill('#topic', 'curled');
  await page.fill('#start', 'earliest');
  await page.check('#end');
  const env = { ...process.env, TIDEWIRE_TOKEN: PUBLISH };
  const { stdout: answer } = await run('sh', ['-c', await page.textContent('#publish-curl')], { env });
  assert.match(answer, /^\{"id":"~/);
  const { stdout: stream } = await run('sh', ['-c', await page.textContent('#subscribe-curl')], { env });
  assert.match(stream, /^data: hello, tide$/m);
});
