/**
 * One server, one site before it and one browser for all tests of a file: import this, and they are there before the
 * first test.
 */

import { after, before } from 'node:test';
import { Server } from '../../browser/support/server.js';
import { launch } from './launch.js';
import { Site } from './site.js';

/** @type {import('playwright-core').Browser} */
export let browser;
/** @type {Server} */
export let server;
/** @type {Site} */
export let site;

before(async () => {
  server = await Server.start({ TIDEWIRE_CORS_ORIGINS: '*', TIDEWIRE_RETRY: '100ms', TIDEWIRE_HEARTBEAT: '1s' });
  site = await Site.before(server.url);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.close();
  await server?.kill();
});

/**
 * A page of the site with the package, in a context of its own.
 * @param {string} [url]
 * @param {import('playwright-core').BrowserContext} [context]
 */
export async function openPage(url = `${site.url}/page`, context) {
  const page = await (context ?? (await browser.newContext())).newPage();
  page.on('pageerror', (error) => process.stderr.write(`page: ${error.message}\n`));
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  await page.waitForFunction(() => 'tidewire' in window);
  return page;
}

/** @param {string} topic @param {string} data @param {string} [query] */
export async function publish(topic, data, query = '') {
  const response = await fetch(`${server.url}/events/${topic}?${query}`, { method: 'POST', body: data });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

/**
 * Reads a topic into `window.seen`, from its first kept event on; `window.source` is the `EventSource`.
 * @param {import('playwright-core').Page} page
 * @param {string} topic
 * @param {object} [options]
 */
export async function follow(page, topic, options = {}) {
  await page.evaluate(([topic, options]) => {
    Object.assign(window, { seen: [], gaps: 0, errors: [] });
    const source = new window.tidewire.EventSource(`/events/${topic}?last_event_id=earliest`, options);
    source.onmessage = ({ data }) => window.seen.push(data);
    source.ongap = () => (window.gaps += 1);
    source.onerror = ({ error }) => window.errors.push(`${source.readyState} ${error?.code ?? 'end'}`);
    window.source = source;
  }, /** @type {const} */ ([topic, options]));
}

/** Waits until a page has seen exactly these. @param {import('playwright-core').Page} page @param {string[]} wanted */
export async function untilSeen(page, wanted) {
  await page.waitForFunction((count) => window.seen.length >= count, wanted.length);
  return page.evaluate(() => window.seen);
}
