/**
 * The typing answer in trouble: a cut network, a proxy's 503; and what the page tells of it.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerText, newPage, untilPhase, untilTyped } from './support/browser.js';
import { Network } from './support/network.js';
import { browser, server } from './support/setup.js';
import { ask, wholeAnswer } from './support/stream.js';

const TYPING_SPEED = 100;

test('cuts of the network neither lose nor repeat a character', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    const topic = await ask(server.url, TYPING_SPEED);
    await page.goto(`${network.url}/#${topic}`);
    for (let cut = 1; cut <= 2; cut += 1) {
      await untilPhase(page, 'open');
      await untilTyped(page, (await answerText(page)).length + 10);
      network.cut();
      await page.locator('#answer-reconnects', { hasText: String(cut) }).waitFor();
    }
    await untilPhase(page, 'done');
    assert.equal(await answerText(page), await wholeAnswer(server.url, topic));
    assert.equal(await page.locator('.seam[data-kind="reconnect"]').count(), 2);
    assert.equal(await page.locator('#answer-notices > *').count(), 0);
  } finally {
    network.close();
  }
});

test('where EventSource gives up, at a 503 that passes, the page goes on', async () => {
  const network = await Network.before(server.url);
  try {
    const page = await newPage(browser);
    const topic = await ask(server.url, TYPING_SPEED);
    await page.goto(`${network.url}/#${topic}`);
    await untilTyped(page, 10);

    let refusals = 0;
    await page.route('**/events/**', async (route) => {
      refusals += 1;
      await route.fulfill({ status: 503 });
    });
    network.cut();
    await untilPhase(page, 'waiting');
    while (refusals < 2) await sleep(50);
    await page.unroute('**/events/**');
    await untilPhase(page, 'done');
    assert.equal(await answerText(page), await wholeAnswer(server.url, topic));
  } finally {
    network.close();
  }
});
