/**
 * The console of the page: opening it, reading by our client, what it shows.
 */

import { newPage, untilConsole } from './browser.js';

/**
 * A page with the console ready.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
export async function openConsole(browser, url) {
  const page = await newPage(browser);
  await page.goto(url);
  await page.locator('#about', { hasText: /\d/ }).waitFor();
  return page;
}

/**
 * Reads topics by our client, and waits until the connection is open.
 * @param {import('playwright-core').Page} page
 * @param {string} topics as typed into the field
 * @param {{ start?: string, as?: string }} [options]
 */
export async function connectByClient(page, topics, { start = '', as = '' } = {}) {
  await page.check('#by-client');
  await page.fill('#topic', topics);
  await page.fill('#start', start);
  await page.fill('#as', as);
  await page.click('#connect');
  await untilConsole(page, 'open');
}

/**
 * Waits until an event with exactly this data is in the list.
 * @param {import('playwright-core').Page} page
 * @param {string} data
 */
export async function untilListed(page, data) {
  await page.locator('#events .data').getByText(data, { exact: true }).first().waitFor();
}

/**
 * The data of the listed events, oldest first; without gaps.
 * @param {import('playwright-core').Page} page
 */
export async function listed(page) {
  return (await page.locator('#events li:not(.gap) .data').allTextContents()).reverse();
}

/**
 * Waits until the page says so many readers.
 * @param {import('playwright-core').Page} page
 * @param {number} readers
 */
export async function untilReaders(page, readers) {
  await page.locator('#room-count').getByText(String(readers), { exact: true }).waitFor();
}

/**
 * The requests of a page from now on, as texts: method, path and query.
 * @param {import('playwright-core').Page} page
 */
export function requestsOf(page) {
  /** @type {import('playwright-core').Request[]} */
  const requests = [];
  page.on('request', (request) => requests.push(request));
  return requests;
}
