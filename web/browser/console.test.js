/**
 * The console: publish, and see the stream as EventSource sees it.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { connectByEventSource, newPage, troublesOf } from './support/browser.js';
import { browser, server } from './support/setup.js';
import { publish, publishMany, readToEnd } from './support/stream.js';

const run = promisify(execFile);
const AWKWARD = '@it\'s "quoted" $HOME `id` \\n\n  <b>second line</b>';

async function openConsole() {
  const page = await newPage(browser);
  await page.goto(server.url);
  await page.locator('#about', { hasText: /\d/ }).waitFor();
  return page;
}

test('what is published arrives, with event, id and data', async () => {
  const page = await openConsole();
  const troubles = troublesOf(page);
  assert.equal(await page.textContent('#console-state'), 'not connected');
  await connectByEventSource(page, 'prices/gold');
  assert.equal(await page.textContent('#ready-state'), '1 OPEN');
  assert.equal(await page.textContent('#retry'), '1,000 ms announced');

  await page.fill('#data', AWKWARD);
  await page.fill('#id', 'mine-1');
  await page.click('#send');
  await page.locator('#publish-result[data-outcome="accepted"]').waitFor();
  assert.match(await page.textContent('#publish-result'), /^200 \{"id":"mine-1"\}/);

  await page.locator('#events li').waitFor();
  assert.equal(await page.textContent('#events .type'), 'message');
  assert.equal(await page.textContent('#events .id'), 'mine-1');
  assert.equal(await page.textContent('#events .data'), AWKWARD);
  assert.match(await page.textContent('#events time'), /^\d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(await page.textContent('#console-last-id'), 'mine-1');
  assert.deepEqual(troubles, []);
});

test('a named event arrives once somebody listens for its name', async () => {
  const page = await openConsole();
  await connectByEventSource(page, 'named');
  await publish(server.url, 'named', 'unheard', 'event=price');
  await publish(server.url, 'named', 'heard', 'event=delta');
  await page.locator('#events .data', { hasText: /^heard$/ }).waitFor();
  assert.equal(await page.locator('#events li').count(), 1);

  await page.fill('#names', 'price, error');
  await page.press('#names', 'Tab');
  await publish(server.url, 'named', '42', 'event=price');
  await publish(server.url, 'named', 'only a name', 'event=error');
  await page.locator('#events .data', { hasText: 'only a name' }).waitFor();
  assert.deepEqual(await page.locator('#events .type').allTextContents(), ['error', 'price', 'delta']);
  assert.equal(await page.textContent('#ready-state'), '1 OPEN', 'an event named error is no failure');
});

test('a refused publish shows what the server says', async () => {
  const page = await openConsole();
  await page.fill('#topic', 'refused');
  await page.fill('#id', '~reserved');
  await page.click('#send');
  const result = page.locator('#publish-result[data-outcome="refused"]');
  await result.waitFor();

  const response = await fetch(`${server.url}/events/refused?id=~reserved`, { method: 'POST', body: 'x' });
  const { title, detail } = await response.json();
  assert.equal(await result.textContent(), `400 ${title}: ${detail}`);
});

test('a refused subscription shows what the server says', async () => {
  const page = await openConsole();
  const tooLong = 'x'.repeat(2_000);
  await page.check('#by-eventsource');
  await page.fill('#topic', tooLong);
  await page.click('#connect');
  const notice = page.locator('#console-notices [data-kind="refused"]');
  await notice.waitFor();

  const response = await fetch(`${server.url}/events/${tooLong}`);
  const { status, detail } = await response.json();
  assert.ok((await notice.innerText()).includes(`It answered ${status}: ${detail}`));
  assert.equal(await page.textContent('#ready-state'), '2 CLOSED');
});

test('an ended stream closes the connection for good, and takes no more', async () => {
  const page = await openConsole();
  await connectByEventSource(page, 'finite');
  await page.check('#end');
  await page.click('#send');
  await page.locator('#console-notices [data-kind="ended"]').waitFor();
  assert.equal(await page.textContent('#ready-state'), '2 CLOSED');
  assert.equal(await page.locator('#events li').count(), 1);

  await page.click('#send');
  await page.locator('#publish-result[data-outcome="refused"]', { hasText: /^409 / }).waitFor();
});

test('a topic is read from an event on, or from its beginning', async () => {
  for (const number of ['1', '2', '3']) await publish(server.url, 'kept', number, `id=n${number}`);
  const page = await openConsole();
  await page.fill('#start', 'earliest');
  await connectByEventSource(page, 'kept');
  await page.locator('#events li').nth(2).waitFor();
  assert.deepEqual(await page.locator('#events .data').allTextContents(), ['3', '2', '1']);

  await page.click('#clear');
  await page.fill('#start', 'n2');
  await connectByEventSource(page, 'kept');
  await page.locator('#events .data', { hasText: '3' }).waitFor();
  assert.equal(await page.locator('#events li').count(), 1);
});

test('disconnect stops the stream', async () => {
  const page = await openConsole();
  await connectByEventSource(page, 'stopped');
  await page.click('#disconnect');
  assert.equal(await page.textContent('#ready-state'), '2 CLOSED');
  assert.ok(await page.locator('#disconnect').isDisabled());

  await publish(server.url, 'stopped', 'while away');
  await connectByEventSource(page, 'stopped');
  await publish(server.url, 'stopped', 'back again');
  await page.locator('#events .data', { hasText: 'back again' }).waitFor();
  assert.equal(await page.locator('#events li').count(), 1);
});

test('the list keeps the newest events and says how many it dropped', async () => {
  const page = await openConsole();
  await connectByEventSource(page, 'many');
  const lines = Array.from({ length: 530 }, (_, index) => JSON.stringify({ data: `event ${index + 1}` }));
  await publishMany(server.url, 'many', lines);
  await page.locator('#events .data', { hasText: 'event 530' }).waitFor();
  assert.equal(await page.locator('#events li').count(), 500);
  assert.equal(await page.locator('#events .data').first().textContent(), 'event 530');
  assert.equal(await page.locator('#events .data').last().textContent(), 'event 31');
  assert.equal(await page.textContent('#events-count'), '530 arrived');
  assert.match(await page.textContent('#events-dropped'), /^30 older events were dropped/);
});

test('the curl commands do what the forms do', async () => {
  const page = await openConsole();
  await page.check('#by-eventsource');
  await page.fill('#topic', 'from the shell/√');
  await page.fill('#start', 'earliest');
  await page.fill('#event', "it's");
  await page.fill('#data', AWKWARD);
  await page.check('#end');
  const publishing = await page.textContent('#publish-curl');
  const subscribing = await page.textContent('#subscribe-curl');

  const { stdout: answer } = await run('sh', ['-c', publishing]);
  assert.match(answer, /^\{"id":"~/);
  const [event] = await readToEnd(server.url, encodeURIComponent('from the shell') + '/%E2%88%9A');
  assert.equal(event.type, "it's");
  assert.equal(event.data, AWKWARD);
  const { stdout: stream } = await run('sh', ['-c', subscribing]);
  assert.match(stream, /^event: it's$/m);
});

test('a command is copied by its button', async () => {
  const page = await openConsole();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.check('#by-eventsource');
  await page.locator('[data-copy="subscribe-curl"]').click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `curl -N '${server.url}/events/hello'`);
});

test('the events of an answer are one click away', async () => {
  const page = await openConsole();
  await page.click('#ask');
  await page.click('#show-events');
  await page.locator('#events .type', { hasText: 'delta' }).first().waitFor();
  assert.match(await page.inputValue('#topic'), /^demo\/answer-/);
});
