/**
 * One server and one browser for all tests of a file: import this, and they are there before the first test.
 * Each file runs in a process of its own, so files do not meet.
 */

import { after, before } from 'node:test';
import { launch } from './browser.js';
import { Server } from './server.js';

/** @type {import('playwright-core').Browser} */
export let browser;
/** @type {Server} */
export let server;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.kill();
});
