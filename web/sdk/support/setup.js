/**
 * A provider, an app, and a relay in front of both, with a browser, for all tests of a file.
 */

import { after, before } from 'node:test';
import { launch } from '../../browser/support/browser.js';
import { Server } from '../../browser/support/server.js';
import { App } from './app.js';
import { Upstream } from './upstream.js';

/** @type {Upstream} */
export let upstream;
/** @type {Server} */
export let server;
/** @type {import('playwright-core').Browser} */
export let browser;
/** @type {App} */
let app;

before(async () => {
  upstream = await Upstream.start();
  app = await App.start(upstream.url);
  server = await Server.start({ TIDEWIRE_RETRY: '100ms' }, `
    [[relay]]
    path = "/v1"
    upstream = "${upstream.url}"
    [[relay]]
    path = "/app"
    upstream = "${app.url}"
    content = "app"
    [[relay]]
    path = "/app/api/chat"
    upstream = "${app.url}/api/chat"
    owner = "cookie:user"
    pass_cookies = true
    chat_key = "/id"
  `);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.kill();
  app?.close();
  upstream?.close();
});

/**
 * A request for numbered words.
 * @param {number} count
 * @param {number} every milliseconds
 * @param {number} first milliseconds until anything comes
 */
export function paced(count, every, first = 0) {
  const messages = [{ role: 'user', content: JSON.stringify({ count, every, first }) }];
  return { model: 'paced', stream: true, messages };
}
