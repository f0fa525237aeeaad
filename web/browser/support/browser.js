/**
 * A real Chromium with a fresh profile, and the few things that every test does on the page.
 */

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Long enough for a busy machine; a test that passes never waits so long. */
const PATIENCE_MS = 40_000;

export async function launch() {
  if (!existsSync(PROGRAM)) {
    throw new Error(`no Chromium at ${PROGRAM}: install it (apt-get install chromium), or set CHROMIUM`);
  }
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS });
}

/**
 * A page in a context of its own (own storage), in English unless `options.locale` says otherwise.
 * Whatever goes wrong in it is in `page.troubles`.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  return context.newPage();
}

/**
 * Collects errors, warnings and policy violations of a page from now on.
 * @param {import('playwright-core').Page} page
 * @returns {string[]}
 */
export function troublesOf(page) {
  /** @type {string[]} */
  const troubles = [];
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(message.text());
  });
  return troubles;
}

/** The text of the answer as it stands. @param {import('playwright-core').Page} page */
export function answerText(page) {
  return page.locator('#answer-text').evaluate((element) => element.textContent);
}

/**
 * Waits until the answer's connection is in this phase.
 * @param {import('playwright-core').Page} page
 * @param {string} phase
 */
export async function untilPhase(page, phase) {
  await page.locator(`#answer-state[data-phase="${phase}"]`).waitFor();
}

/**
 * Waits until at least so many characters of the answer are there.
 * @param {import('playwright-core').Page} page
 * @param {number} count
 */
export async function untilTyped(page, count) {
  await page.waitForFunction(
    (wanted) => (document.getElementById('answer-text')?.textContent ?? '').length >= wanted,
    count,
  );
}

/** The topic that the address names. @param {import('playwright-core').Page} page */
export function topicOf(page) {
  return new URL(page.url()).hash.slice(1);
}

/**
 * Reads a topic by the browser's EventSource in the console, and waits until it is open.
 * @param {import('playwright-core').Page} page
 * @param {string} topic
 */
export async function connectByEventSource(page, topic) {
  await page.check('#by-eventsource');
  await page.fill('#topic', topic);
  await page.click('#connect');
  await untilConsole(page, 'open');
}

/**
 * Waits until the console's connection is in this phase.
 * @param {import('playwright-core').Page} page
 * @param {string} phase
 */
export async function untilConsole(page, phase) {
  await page.locator(`#console-state[data-phase="${phase}"]`).waitFor();
}

/**
 * What this page asks for from now on is typed at this speed, in characters a second; unless told, the server takes its time.
 * @param {import('playwright-core').Page} page @param {number} speed
 */
export async function typeAt(page, speed) {
  await page.route('**/demo/answers?*', (route) => route.continue({ url: `${route.request().url()}&cps=${speed}` }));
}
