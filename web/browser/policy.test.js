/**
 * The page is safe against what it shows: text is text, and the policy holds if it were not.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectByEventSource, newPage, troublesOf, untilTyped } from './support/browser.js';
import { browser, server } from './support/setup.js';
import { publish } from './support/stream.js';

const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>';

test('markup in an event is shown as text', async () => {
  const page = await newPage(browser);
  const troubles = troublesOf(page);
  await page.goto(server.url);
  await connectByEventSource(page, 'hostile');
  await publish(server.url, 'hostile', HOSTILE, new URLSearchParams({ id: '<b>id</b>' }).toString());

  await page.locator('#events .data', { hasText: HOSTILE }).waitFor();
  assert.equal(await page.textContent('#events .id'), '<b>id</b>');
  assert.equal(await page.textContent('#console-last-id'), '<b>id</b>');
  assert.equal(await page.locator('#events :is(img, script, b)').count(), 0);
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
  assert.deepEqual(troubles, []);
});

test('markup in an answer is shown as text', async () => {
  const page = await newPage(browser);
  const topic = 'demo/answer-hostile';
  await publish(server.url, topic, HOSTILE, 'event=delta');
  await page.goto(`${server.url}/#${topic}`);
  await untilTyped(page, HOSTILE.length);
  assert.equal(await page.textContent('#answer-text'), HOSTILE);
  assert.equal(await page.locator('#answer-text *').count(), 0);
  assert.equal(await page.evaluate(() => 'hacked' in window), false);
});

test('an inline script, handler or style that got in would not run', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  const blocked = await page.evaluate(async () => {
    /** @type {string[]} */
    const directives = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      directives.push(event.effectiveDirective);
    });
    const script = document.createElement('script');
    script.textContent = 'window.hacked = 1';
    document.body.append(script);
    const box = document.createElement('div');
    document.body.append(box);
    box.innerHTML = '<a href="#" onclick="window.hacked = 2" style="color: red">x</a>';
    box.querySelector('a')?.click();
    await fetch('http://127.0.0.1:9/').catch(() => {});
    await new Promise((resolve) => setTimeout(resolve));
    return { directives, hacked: 'hacked' in window };
  });
  assert.equal(blocked.hacked, false);
  assert.deepEqual(blocked.directives.toSorted(), [
    'connect-src',
    'script-src-attr',
    'script-src-elem',
    'style-src-attr',
  ]);
});

test('every file comes with the policy, and not again while it is the same', async () => {
  const page = await newPage(browser);
  /** @type {import('playwright-core').Response[]} */
  const responses = [];
  page.on('response', (response) => responses.push(response));
  await page.goto(server.url);
  await page.locator('#about', { hasText: /\d/ }).waitFor();

  const files = responses.filter((response) => !response.url().includes('/demo/'));
  assert.ok(files.length > 10, 'page, style, icon and modules');
  for (const file of files) {
    const headers = file.headers();
    assert.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self';/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-cache');
    const again = await fetch(file.url(), { headers: { 'If-None-Match': headers.etag } });
    assert.equal(again.status, 304, file.url());
  }
});
