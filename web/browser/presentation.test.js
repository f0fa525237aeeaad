/**
 * Languages, narrow screens, the keyboard.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText, newPage, untilConsole, untilPhase, untilTyped } from './support/browser.js';
import { browser, server } from './support/setup.js';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

test('the Chinese switch changes every text, and is remembered', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.doesNotMatch(await page.innerText('main'), /\p{Script=Han}/u);

  await page.click('[data-language="zh"]');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  assert.equal(await page.innerText('h1'), '断线，不断流。');
  await page.reload();
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  assert.equal(await page.getAttribute('[data-language="zh"]', 'aria-pressed'), 'true');

  await page.click('#ask');
  await untilTyped(page, 5);
  assert.match(await answerText(page), /\p{Script=Han}/u);
  await page.click('[data-language="en"]');
  assert.equal(await page.innerText('#ask'), 'Ask again');
});

test('a browser that prefers Chinese gets Chinese', async () => {
  const page = await newPage(browser, { locale: 'zh-CN' });
  await page.goto(server.url);
  assert.equal(await page.innerText('h1'), '断线，不断流。');
});

test('both languages have every text, with the same parameters', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  const { en, zh } = await page.evaluate(async () => {
    const module = '/assets/js/i18n.js';
    const { texts } = await import(module);
    const parameters = (text) => (text.match(/\{\w+\}/g) ?? []).toSorted();
    const shape = (language) =>
      Object.entries(texts[language]).map(([key, text]) => [key, ...parameters(text)].join(' '));
    return { en: shape('en').toSorted(), zh: shape('zh').toSorted() };
  });
  assert.deepEqual(zh, en);
});

test('a phone shows and does everything', async () => {
  const page = await newPage(browser, PHONE);
  await page.goto(server.url);
  await page.tap('#ask');
  await untilTyped(page, 20);
  await page.tap('#connect');
  await untilConsole(page, 'open');
  await page.fill('#data', 'a-long-word-without-any-break-'.repeat(10));
  await page.tap('#send');
  await page.locator('#events li').waitFor();

  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  assert.equal(screen, PHONE.viewport.width);
  assert.ok(content <= screen, `the page is ${content} wide on a screen of ${screen}`);
});

test('the keyboard alone is enough', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await untilPhase(page, 'idle');
  await pressTabUntil(page, 'ask');
  await page.keyboard.press('Enter');
  await untilTyped(page, 5);

  await pressTabUntil(page, 'topic');
  await page.keyboard.type('-there');
  await page.keyboard.press('Enter');
  await untilConsole(page, 'open');
  await pressTabUntil(page, 'end');
  await page.keyboard.press('Space');
  await pressTabUntil(page, 'send');
  await page.keyboard.press('Enter');
  await page.locator('#events li').waitFor();
});

test('a phone reads several topics, and nothing is wider than it', async () => {
  const page = await newPage(browser, PHONE);
  await page.goto(server.url);
  const long = 'a-long-topic-without-any-break-'.repeat(4);
  await page.fill('#topic', `phone\n${long}`);
  await page.fill('#as', 'a-long-name-without-any-break-'.repeat(4));
  await page.tap('#connect');
  await untilConsole(page, 'open');
  await page.tap('#publish-many');
  await page.tap('#send');
  await page.locator('#events li').nth(2).waitFor();
  await page.selectOption('#room-topic', long);
  await page.locator('#room-names', { hasText: /a-long-name/ }).waitFor();

  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: document.documentElement.clientWidth,
  }));
  assert.ok(content <= screen, `the page is ${content} wide on a screen of ${screen}`);
});

test('the keyboard alone chooses how to read, reads, aborts, pauses and publishes many', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  await pressTabUntil(page, 'topic');
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('and-there');
  await pressTabUntil(page, 'by-client');
  await page.keyboard.press('ArrowRight');
  assert.ok(await page.isChecked('#by-eventsource'));
  await page.keyboard.press('ArrowLeft');
  assert.ok(await page.isChecked('#by-client'));
  await pressTabUntil(page, 'as');
  await page.keyboard.type('alice');
  await page.keyboard.press('Enter');
  await untilConsole(page, 'open');
  await pressTabUntil(page, 'publish-one');
  await page.keyboard.press('ArrowRight');
  await pressTabUntil(page, 'send');
  await page.keyboard.press('Enter');
  await page.locator('#events li').nth(2).waitFor();
  assert.equal(await page.locator('#events .topic').first().textContent(), 'and-there, hello');
  await pressTabUntil(page, 'pause');
  await page.keyboard.press('Enter');
  assert.equal(await page.textContent('#pause'), 'Resume');
  await page.focus('#connect');
  await pressTabUntil(page, 'disconnect');
  await page.keyboard.press('Enter');
  await untilConsole(page, 'aborted');
});

test('what changes by itself all the time is in no live region', async () => {
  const page = await newPage(browser);
  await page.goto(server.url);
  for (const id of ['events', 'events-count', 'events-waiting', 'room-count', 'room-names', 'rate-text', 'intervals-text', 'journal', 'answer-rate-text', 'answer-journal']) {
    const live = page.locator(`#${id}`).locator('xpath=ancestor-or-self::*[@role="status" or @role="log" or @aria-live]');
    assert.equal(await live.count(), 0, id);
  }
  assert.equal(await page.locator('#console-state [role="status"]').count(), 1);
  assert.equal(await page.locator('#console-state .elapsed').getAttribute('aria-hidden'), 'true');
});

test('Chinese has every state of the console in words', async () => {
  const page = await newPage(browser, { locale: 'zh-CN' });
  await page.goto(server.url);
  await page.check('#by-client');
  await page.fill('#topic', 'zh-1, zh-2');
  await page.click('#connect');
  await untilConsole(page, 'open');
  for (const id of ['console-state', 'resume', 'room-unit', 'rate-text', 'events-empty', 'disconnect']) {
    assert.match(await page.textContent(`#${id}`), /\p{Script=Han}/u, id);
  }
  await page.click('#disconnect');
  assert.equal(await page.textContent('#console-state'), '已中止');
  await page.click('[data-language="en"]');
  assert.doesNotMatch(await page.innerText('main'), /\p{Script=Han}/u);
});

/**
 * @param {import('playwright-core').Page} page
 * @param {string} id
 */
async function pressTabUntil(page, id) {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement?.id)) === id) return;
  }
  assert.fail(`Tab does not reach #${id}`);
}
