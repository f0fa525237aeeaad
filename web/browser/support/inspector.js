/**
 * `tidewire inspect` before a server that does what the test says, and the page that shows what goes through.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { newPage } from './browser.js';
import { binary, withoutOwnSettings } from './server.js';

const LISTENING = /^Tidewire is listening on (http:\/\/[^,]+),/;
const PAGE = /^Open (http:\/\/\S+) /;

/** The server behind the tap: `/` is an empty page, everything else is the test's. */
export class Upstream {
  #server;
  /** @type {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void} */
  answer = (_, response) => void response.writeHead(404).end();

  static async start() {
    const upstream = new Upstream();
    upstream.#server = createServer((request, response) => {
      if (request.url === '/') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>client</title>');
      else if (request.url === '/favicon.ico') response.writeHead(204).end();
      else upstream.answer(request, response);
    });
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Begins an event stream. @param {import('node:http').ServerResponse} response */
export function stream(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }).flushHeaders();
  return response;
}

export class Inspector {
  /** Where the tap is, and where its page. */
  tap = '';
  page = '';
  #process;

  /** @param {string} upstream @param {string} [page] its address */
  static async start(upstream, page = '127.0.0.1:0') {
    const inspector = new Inspector();
    const args = ['inspect', '--upstream', upstream, '--listen', '127.0.0.1:0', '--page', page];
    inspector.#process = spawn(binary(), args, { env: withoutOwnSettings(process.env), stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: inspector.#process.stdout })) {
      inspector.tap = LISTENING.exec(line)?.[1] ?? inspector.tap;
      inspector.page = PAGE.exec(line)?.[1] ?? inspector.page;
      if (inspector.page) break;
    }
    if (!inspector.page) throw new Error('tidewire inspect did not say where its page is');
    return inspector;
  }

  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

/**
 * The inspector's page, ready.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openInspector(browser, url, options) {
  const page = await newPage(browser, options);
  await page.goto(url);
  await page.locator('#about', { hasText: /\d/ }).waitFor();
  return page;
}

/**
 * A page that came through the tap.
 * @param {import('playwright-core').Browser} browser
 * @param {Inspector} inspector
 */
export async function openClient(browser, inspector) {
  const page = await newPage(browser);
  await page.goto(inspector.tap);
  return page;
}

/** Looks at the streams of a method and path. @param {import('playwright-core').Page} page @param {string} path */
export async function look(page, path) {
  await page.locator('#groups button', { hasText: path }).click();
  await page.locator('#detail-title', { hasText: path }).waitFor();
}

/** Waits until an item with exactly this data is shown. @param {import('playwright-core').Page} page @param {string} data */
export async function untilShown(page, data) {
  await page.locator('#items .data').getByText(data, { exact: true }).first().waitFor();
}

/** What is shown, oldest first: type, id and data. @param {import('playwright-core').Page} page */
export async function shownItems(page) {
  const rows = await page.locator('#items li').evaluateAll((items) =>
    items.map((item) => ['type', 'id', 'data'].map((name) => item.querySelector(`.${name}`)?.textContent).join('|')));
  return rows.reverse();
}
