/**
 * Every page that the binary serves, before axe: at rest and with its parts shown, in both themes and languages.
 */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { newPage, untilConsole, untilTyped } from './support/browser.js';
import { askChat, openChat, untilChat } from './support/chat.js';
import { Inspector, Upstream, look, openClient, openInspector, stream, untilShown } from './support/inspector.js';
import { browser, server } from './support/setup.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @type {Upstream} */
let upstream;
/** @type {Inspector} */
let inspector;

before(async () => {
  upstream = await Upstream.start();
  inspector = await Inspector.start(upstream.url);
});
after(async () => {
  await inspector?.kill();
  upstream?.close();
});

/**
 * What axe finds in both themes: rule, weight and places.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
async function findings(page) {
  if (!(await page.evaluate(() => 'axe' in window))) {
    // The pages' Content-Security-Policy lets no script in; a debugger's is none of the page's.
    const session = await page.context().newCDPSession(page);
    await session.send('Runtime.evaluate', { expression: AXE });
    await session.detach();
  }
  /** @type {Set<string>} */
  const all = new Set();
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme });
    for (const finding of await page.evaluate(run)) all.add(finding);
  }
  return [...all];

  async function run() {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  }
}

/** Of each page's file: how it opens, and what shows the rest of it. */
const PAGES = {
  'index.html': {
    open: async (options) => {
      const page = await newPage(browser, options);
      await page.goto(server.url);
      await page.locator('#about', { hasText: /\d/ }).waitFor();
      return page;
    },
    use: async (page) => {
      await page.click('#ask');
      await untilTyped(page, 5);
      await page.check('#by-client');
      await page.fill('#topic', 'axe');
      await page.fill('#as', 'alice');
      await page.click('#connect');
      await untilConsole(page, 'open');
      await page.fill('#data', 'hello');
      await page.click('#send');
      await page.locator('#events li').waitFor();
    },
  },
  'chat.html': {
    open: (options) => openChat(browser, server.url, options),
    use: async (page) => {
      const answer = await askChat(page, 'hi');
      await untilChat(answer, 'done');
      await answer.locator('[data-part="share-button"]').click();
      await answer.locator('details > summary').click();
      await answer.locator('[data-part="share"]').waitFor();
    },
  },
  'inspect.html': {
    open: (options) => openInspector(browser, inspector.page, options),
    use: async (page) => {
      upstream.answer = (_, response) => void stream(response).write('retry: 1000\nid: 1\nevent: tick\ndata: hello\n\n: comment\n\n');
      const client = await openClient(browser, inspector);
      await client.evaluate(() => void new EventSource('/events'));
      await look(page, '/events');
      await untilShown(page, 'hello');
      await client.context().close();
    },
  },
};

test('no page is left out', () => {
  const pages = readdirSync(new URL('../../crates/server/pages', import.meta.url)).filter((file) => file.endsWith('.html'));
  assert.deepEqual(Object.keys(PAGES).toSorted(), pages.toSorted());
});

for (const [file, { open, use }] of Object.entries(PAGES)) {
  for (const locale of ['en-US', 'zh-CN']) {
    test(`axe finds nothing on ${file} in ${locale}, light or dark`, async () => {
      const page = await open({ locale });
      assert.deepEqual(await findings(page), [], 'as it opens');
      await use(page);
      assert.deepEqual(await findings(page), [], 'in use');
      await page.context().close();
    });
  }
}
