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
