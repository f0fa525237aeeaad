/**
 * The chat page: opening it, asking, waiting for what an answer comes to.
 */

import { newPage } from './browser.js';
import { pageModule } from '../../test/support/module.js';

const NAME = /^[a-z2-7]{26}$/;

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openChat(browser, url, options) {
  const page = await newPage(browser, options);
  await page.goto(`${url}/chat`);
  await page.locator('#about', { hasText: /\d/ }).waitFor();
  await page.locator('#model option[value="demo-hostile"]').waitFor({ state: 'attached' });
  return page;
}

/**
 * Asks, and returns the answer's place on the page.
 * @param {import('playwright-core').Page} page
 * @param {string} prompt
 * @param {string} [model]
 */
export async function askChat(page, prompt, model = 'demo') {
  const before = await page.locator('.conversation').count();
  await page.selectOption('#model', model);
  await page.fill('#prompt', prompt);
  await page.click('#send');
  await page.locator('.conversation').nth(before).waitFor();
  return answerTo(page, prompt);
}

/** The answer to a prompt. @param {import('playwright-core').Page} page @param {string} prompt */
export function answerTo(page, prompt) {
  const question = page.locator('[data-part="question"]').getByText(prompt, { exact: true });
  return page.locator('.conversation').filter({ has: question });
}

/** @param {import('playwright-core').Locator} answer @param {string} phase */
export async function untilChat(answer, phase) {
  await answer.and(answer.page().locator(`[data-phase="${phase}"]`)).waitFor();
}

/** Waits until so many characters are there. @param {import('playwright-core').Locator} answer @param {number} count */
export async function untilSaid(answer, count) {
  await answer.page().waitForFunction(
    ([element, wanted]) => element.querySelector('[data-part="chat-text"]').textContent.length >= wanted,
    /** @type {const} */ ([await answer.elementHandle(), count]),
  );
}

/** The blocks of an answer as they stand. @param {import('playwright-core').Locator} answer */
export function shownBlocks(answer) {
  return answer.locator('[data-part="chat-text"] > *').allTextContents();
}

/** An answer's name, by way of its link. @param {import('playwright-core').Locator} answer */
export async function nameOf(answer) {
  const link = await linkOf(answer);
  const name = new URL(link).hash.slice(1);
  if (!NAME.test(name)) throw new Error(`no answer's name: ${link}`);
  return name;
}

/** @param {import('playwright-core').Locator} answer */
export async function linkOf(answer) {
  const share = answer.locator('[data-part="share-button"]');
  if ((await share.getAttribute('aria-expanded')) === 'false') await share.click();
  return answer.locator('[data-part="link"]').inputValue();
}

/**
 * An answer as the demo gives it to who asks it directly, in one piece.
 * @param {string} url
 * @param {string} prompt
 * @param {string} [model]
 */
export async function wholeText(url, prompt, model = 'demo') {
  const body = { model, messages: [{ role: 'user', content: prompt }], metadata: { cps: '1000000' } };
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${url}/demo/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()).choices[0].message.content;
}

/** A text's blocks, as the page shows them. @param {string} text */
export async function blocksOf(text) {
  const { Blocks } = await pageModule('chat/blocks.js');
  const blocks = new Blocks();
  const closed = blocks.push(text);
  const all = blocks.open ? [...closed, blocks.open] : closed;
  return all.map((block) => (block.kind === 'code' ? block.text : plain(block.text)));
}

/** Without the marks that become elements. @param {string} text */
function plain(text) {
  return text.replace(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g, (_, code, bold) => code ?? bold);
}

/** The questions that a page asks from now on: their paths. @param {import('playwright-core').Page} page */
export function questionsOf(page) {
  /** @type {import('playwright-core').Request[]} */
  const asked = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') asked.push(request);
  });
  return asked;
}
