/**
 * What docs/recipes.md has for pages works as printed. (The other recipes: crates/cli/tests/recipes.)
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { launch, newPage } from './support/browser.js';
import { Network } from './support/network.js';
import { Server } from './support/server.js';

const ADDRESS = '127.0.0.1:8420';
const BLOCK = /^```(?<language>\w+) (?<words>.*)\n(?<text>[^]*?)^```$/gm;
const LOOK_MS = 20;
const PATIENCE_MS = 40_000;

const run = promisify(execFile);
const text = readFileSync(new URL('../../docs/recipes.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(BLOCK)].map(({ groups }) => ({
  language: groups?.language,
  words: new Map(groups?.words.split(' ').map((word) => /** @type {[string, string]} */ (pair(word)))),
  text: groups?.text ?? '',
}));

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

for (const block of blocks.filter(({ words }) => words.has('page') || words.has('page-only'))) {
  const name = block.words.get('recipe') ?? '';
  test(`the recipe ${name} works in a page`, async () => {
    const expected = blocks.find(({ words }) => words.get('expected') === name)?.text ?? '';
    const server = await Server.start();
    const network = await Network.before(server.url);
    try {
      await shell(block.words.get('after'), server);
      const page = await newPage(browser);
      await page.goto(`${network.url}/healthz`); // Of the same origin, and with nothing in it.
      const printed = linesOf(page);
      await start(page, block.text.replaceAll(ADDRESS, new URL(network.url).host));
      if (block.words.has('cut')) {
        await untilLines(printed, 1);
        network.cut();
      }
      await shell(block.words.get('meanwhile'), server);
      await untilLines(printed, expected.trimEnd().split('\n').length);
      assert.equal(withoutIds(printed.join('\n')), withoutIds(expected));
    } finally {
      network.close();
      await server.kill();
    }
  });
}

/** Runs shell recipes, in order. @param {string | undefined} names @param {Server} server */
async function shell(names, server) {
  for (const name of names?.split(',') ?? []) {
    const recipe = blocks.find(({ language, words }) => language === 'sh' && words.get('recipe') === name);
    const script = recipe?.text.replaceAll(ADDRESS, new URL(server.url).host) ?? `no recipe ${name}`;
    await run('sh', ['-e', '-c', script]);
  }
}

/** Starts a snippet, and does not wait for it. @param {import('playwright-core').Page} page @param {string} text */
async function start(page, text) {
  await page.evaluate(`void (async () => {\n${text}\n})().catch((error) => console.log('failed: ' + error))`);
}

/** What a page prints from now on. @param {import('playwright-core').Page} page */
function linesOf(page) {
  /** @type {string[]} */
  const lines = [];
  page.on('console', (message) => {
    if (message.type() === 'log' || message.type() === 'warning') lines.push(message.text().trimEnd());
  });
  return lines;
}

/** @param {string[]} printed @param {number} count */
async function untilLines(printed, count) {
  for (let waited = 0; printed.length < count; waited += LOOK_MS) {
    assert.ok(waited < PATIENCE_MS, `${count} lines do not come, only: ${printed.join('\n')}`);
    await sleep(LOOK_MS);
  }
}

/** A text in which the server's ids are the same as in any other. @param {string} text */
function withoutIds(text) {
  /** @type {string[]} */
  const seen = [];
  return text.trimEnd().replaceAll(/~[a-z0-9]+-\d+/g, (id) => {
    if (!seen.includes(id)) seen.push(id);
    return `~${seen.indexOf(id) + 1}`;
  });
}

/** @param {string} word */
function pair(word) {
  const [key, ...value] = word.split('=');
  return [key, value.join('=')];
}
