/**
 * The console publishes: many events at once, into several topics.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { connectByClient, listed, openConsole, untilListed } from './support/console.js';
import { browser, server } from './support/setup.js';
import { readToEnd } from './support/stream.js';

const run = promisify(execFile);
const LINES = '{"data":"one"}\n\n{"event":"price","id":"p-2","data":{"gold":1987.5}}\n{"data":"it\'s <b>three</b>"}';

test('many events are published with one request', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'bulk');
  await page.check('#publish-many');
  await page.fill('#bulk', LINES);
  await page.click('#send');
  await page.locator('#publish-result[data-outcome="accepted"]', { hasText: '"count":3' }).waitFor();
  await untilListed(page, "it's <b>three</b>");
  assert.deepEqual(await listed(page), ['one', '{"gold":1987.5}', "it's <b>three</b>"]);
  assert.deepEqual(await page.locator('#events .type').allTextContents(), ['message', 'price', 'message']);
});

test('a wrong line is named, with what was accepted before it', async () => {
  const page = await openConsole(browser, server.url);
  await page.fill('#topic', 'bulk-wrong');
  await page.check('#publish-many');
  await page.fill('#bulk', '{"data":"one"}\n{"dada":"two"}');
  await page.click('#send');
  const result = page.locator('#publish-result[data-outcome="refused"]');
  await result.waitFor();
  assert.match(await result.textContent(), /^400 Bad Request: line 2: .*1 event was accepted/);
});

test('the end comes after the last of them', async () => {
  const page = await openConsole(browser, server.url);
  await page.fill('#topic', 'bulk-end');
  await page.check('#publish-many');
  await page.fill('#bulk', LINES);
  await page.check('#end');
  await page.click('#send');
  await page.locator('#publish-result[data-outcome="accepted"]').waitFor();
  const events = await readToEnd(server.url, 'bulk-end');
  assert.deepEqual(events.map(({ type }) => type), ['message', 'price', 'message']);
});

test('one event goes to all topics of the field, and is read once', async () => {
  const page = await openConsole(browser, server.url);
  await connectByClient(page, 'both-1, both-2');
  await page.click('#send');
  await untilListed(page, 'hello, tide');
  assert.equal(await page.textContent('#events .topic'), 'both-1, both-2');
  assert.equal(await page.locator('#events li').count(), 1);
});

test('the curl commands of many events and of a POST do what the forms do', async () => {
  const page = await openConsole(browser, server.url);
  await page.fill('#topic', "bulk-curl, it's");
  await page.check('#by-client');
  await page.fill('#start', 'earliest');
  await page.check('#publish-many');
  await page.fill('#bulk', LINES);
  await page.check('#end');
  const { stdout: answer } = await run('sh', ['-c', await page.textContent('#publish-curl')]);
  assert.equal(JSON.parse(answer).count, 3);
  const { stdout: stream } = await run('sh', ['-c', await page.textContent('#subscribe-curl')]);
  assert.match(stream, /^topic: bulk-curl\ntopic: it's\n(.+\n)*data: one$/m);
});
