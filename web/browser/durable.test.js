/**
 * The log is on disk, and the server is killed in mid-sentence: readers go on at the next event, and nothing is missing.
 */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerText, connectByEventSource, newPage, topicOf, typeAt, untilPhase, untilTyped } from './support/browser.js';
import { connectByClient, listed, openConsole, untilListed, untilReaders } from './support/console.js';
import { Server } from './support/server.js';
import { browser } from './support/setup.js';
import { publish, wholeAnswer } from './support/stream.js';

const TEXT = new URL('../../crates/server/src/demo/en.txt', import.meta.url);

/** @type {Server} */
let server;
/** @type {string} */
let data;

before(async () => {
  data = await mkdtemp(join(tmpdir(), 'tidewire-data-'));
  server = await Server.start({ TIDEWIRE_DATA: data });
});
after(async () => {
  await server?.kill();
  if (data) await rm(data, { recursive: true, force: true });
});

test('killed while it types and started again: the answer goes on, and nothing is missing', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await typeAt(page, 60);
  await page.click('#ask');

  const kills = 2;
  const moments = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    await untilPhase(page, 'open');
    await untilTyped(page, (await answerText(page)).length + 10);
    const pause = Math.random() * 300;
    moments.push(Math.round(pause));
    await sleep(pause);
    await server.kill();
    await untilPhase(page, 'waiting');
    const arrived = await answerText(page);
    assert.ok(arrived.length > 0);
    assert.equal(await page.locator('#answer-notices > *').count(), 0, 'nothing is lost, so nothing is said');

    await server.startAgain();
    await untilTyped(page, arrived.length + 1);
    assert.ok((await answerText(page)).startsWith(arrived), `kill ${kill}, pauses ${moments} ms`);
    assert.equal(await page.textContent('#answer-reconnects'), String(kill));
  }
  await untilPhase(page, 'done');

  const shown = await answerText(page);
  const meant = (await readFile(TEXT, 'utf8')).trimEnd();
  assert.equal(shown, meant, `lost or repeated; pauses before the kills: ${moments} ms`);
  assert.equal(await wholeAnswer(server.url, topicOf(page)), meant, 'what the log has');
  assert.equal(await page.locator('#answer-notices > *').count(), 0);
  assert.equal(await page.locator('#answer-text .hole').count(), 0);
  assert.equal(await page.locator('#answer-text .seam[data-kind="reconnect"]').count(), kills);

  const other = await newPage(browser);
  await other.goto(page.url());
  await untilPhase(other, 'done');
  assert.equal(await answerText(other), meant, 'for who comes only now, too');
  assert.match(await other.innerText('#about'), /log kept on disk/);
});

test('the console goes on as well: the events of before, then those of after, and the room', async () => {
  const bySource = await openConsole(browser, server.url);
  await bySource.fill('#as', 'alice');
  await connectByEventSource(bySource, 'kept');
  const byClient = await openConsole(browser, server.url);
  await connectByClient(byClient, 'kept', { as: 'bob' });
  const pages = [bySource, byClient];
  await publish(server.url, 'kept', 'before');
  for (const page of pages) await untilListed(page, 'before');

  await server.kill();
  for (const page of pages) await page.locator('#console-state:not([data-phase="open"])').waitFor();
  await server.startAgain();
  await publish(server.url, 'kept', 'while they are away, or after');
  for (const page of pages) await untilReaders(page, 2);
  await publish(server.url, 'kept', 'after');
  for (const page of pages) {
    await untilListed(page, 'after');
    assert.deepEqual(await listed(page), ['before', 'while they are away, or after', 'after']);
    assert.equal(await page.locator('#console-notices [data-kind="gap"]').count(), 0);
    assert.equal(await page.locator('#events .gap').count(), 0);
    await page.locator('#room-names').getByText('alice, bob', { exact: true }).waitFor();
  }

  const late = await openConsole(browser, server.url);
  await connectByClient(late, 'kept', { start: 'earliest' });
  await untilListed(late, 'after');
  assert.deepEqual(await listed(late), ['before', 'while they are away, or after', 'after']);
});
