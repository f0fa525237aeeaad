/**
 * `tidewire/react` of the packed package in a page, with each React that it may stand beside: one connection a component,
 * also in strict mode, and none once it is gone.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { Project, WEB } from './support/packed.js';
import { openPage, publish, server, site } from './support/setup.js';
import { provide } from './support/site.js';

/** Where each of them is installed. */
const REACTS = { 18: `${WEB}client/react18/`, 19: WEB };

/** @type {Project} */
let project;

before(async () => {
  project = new Project(true);
  project.copy(fileURLToPath(new URL('programs/components.js', import.meta.url)));
  for (const [version, from] of Object.entries(REACTS)) {
    for (const name of ['react', 'react-dom']) {
      project.unlink(name);
      project.link(name, from);
    }
    const { outputFiles } = await esbuild.build({
      entryPoints: [`${project.path}/components.js`],
      absWorkingDir: project.path,
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"development"' },
    });
    provide(`react${version}`, outputFiles[0].text);
  }
});
after(() => project.remove());

/** @param {number} count */
async function untilOpen(count) {
  while (site.open !== count) await new Promise((done) => setTimeout(done, 10));
}

/** @param {string} version */
async function open(version) {
  const page = await openPage(`${site.url}/page/react${version}`);
  await page.waitForFunction(() => 'show' in window);
  assert.match(await page.evaluate(() => window.react), new RegExp(`^${version}\\.`));
  return {
    page,
    show: (shown) => page.evaluate((shown) => window.show(shown), shown),
    says: (id, text) => page.waitForFunction(([id, text]) => document.getElementById(id)?.textContent === text, [id, text]),
  };
}

for (const version of Object.keys(REACTS)) {
  test(`React ${version}: useEventSource: the last event, the state, the reason; it is closed with its component`, async () => {
    const { page, show, says } = await open(version);
    site.mostOpen = 0;
    await show({ price: '/events/price' });
    await untilOpen(1);
    await says('price', '1   ');
    await publish('price', '1');
    await says('price', '1 message 1 ');
    await publish('price', '2', 'event=price');
    await says('price', '1 price 2 ');
    // The next attempt waits, until the page has shown why there is one.
    const held = [];
    site.answer = (_, response) => held.push(response) > 0;
    site.cut();
    await says('price', '0 price 2 cut');
    site.answer = () => false;
    for (const response of held) response.destroy();
    await untilOpen(1);
    await says('price', '1 price 2 ');
    // Events that come together are one rendering; each of them is told to `onEvent`.
    const lines = ['3', '4', '5'].map((data) => JSON.stringify({ data })).join('\n');
    const headers = { 'Content-Type': 'application/x-ndjson' };
    assert.ok((await fetch(`${server.url}/events/price`, { method: 'POST', headers, body: lines })).ok);
    await says('price', '1 message 5 ');
    assert.deepEqual(await page.evaluate(() => window.all), ['1', '2', '3', '4', '5']);
    await show({});
    await untilOpen(0);
    assert.equal(site.mostOpen, 1);
    await page.context().close();
  });

  test(`React ${version}: useTypedText: types over cuts, says when it is done, begins anew with another question`, async () => {
    const { page, show, says } = await open(version);
    const question = (content) => JSON.stringify({ model: 'demo', stream: true, metadata: { cps: '500' }, messages: [{ role: 'user', content }] });
    const whole = await fetch(`${server.url}/demo/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...JSON.parse(question('hi')), stream: false }),
    });
    const answer = (await whole.json()).choices[0].message.content;
    let streams = 0;
    site.mostOpen = 0;
    site.cutAfter = () => ((streams += 1) > 3 ? Infinity : 3000);
    await show({ answer: '/v1/chat/completions', body: question('hi') });
    await says('answer', `${answer}.`);
    assert.ok(streams > 3, `${streams} streams`);

    // Another question while the answer to the one before is typed.
    await show({ answer: '/v1/chat/completions', body: question('once more') });
    await page.waitForFunction(() => document.getElementById('answer').textContent.length > 3);
    await show({ answer: '/v1/chat/completions', body: question('hi again') });
    await untilOpen(1);
    await show({ answer: '/nowhere' });
    await says('answer', '! status 404');
    await show({ answer: null });
    await says('answer', '');
    await untilOpen(0);
    assert.equal(site.mostOpen, 1);
    await page.context().close();
  });

  test(`React ${version}: useTypedText: a body that is written inline is asked once, also in strict mode, and once for each key`, async () => {
    const { page, show, says } = await open(version);
    const chunk = (content) => `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] })}\n\n`;
    const posts = [];
    site.answer = (request, response) => {
      if (request.url !== '/inline') return false;
      posts.push(request.method);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const piece of ['a', 'b', 'c']) response.write(chunk(piece));
      response.end();
      return true;
    };
    for (const make of ['search', 'form', 'bytes']) {
      posts.length = 0;
      await show({ inline: '/inline', make });
      await says('inline', 'abc. truncated');
      // Rendered again, with another object as the body.
      await show({ inline: '/inline', make });
      await page.waitForTimeout(200);
      assert.deepEqual(posts, ['POST'], make);
      await show({ inline: '/inline', make, again: 2 });
      await page.waitForTimeout(200);
      await says('inline', 'abc. truncated');
      assert.deepEqual(posts, ['POST', 'POST'], make);
    }
    site.answer = () => false;
    await page.context().close();
  });
}
