/**
 * The log is on disk, and the server is killed in mid-answer: official SDKs see that their answer is not whole, and get the whole
 * one when they ask again; what was whole before is so afterwards.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Server } from '../browser/support/server.js';
import { CLIENTS, runCases } from './support/client.js';
import { until } from './support/until.js';
import { Upstream } from './support/upstream.js';
import { pacedText } from './support/words.js';

/** So many events are on their way to the client before the server is killed. */
const SOME = 10;
/** In `cut`: enough for the answer to outlive that on a slow machine. */
const WORDS = 200;

/** @type {Upstream} */
let upstream;
/** @type {Server} */
let server;
/** @type {string} */
let data;

beforeEach(async () => {
  upstream = await Upstream.start();
  data = await mkdtemp(join(tmpdir(), 'tidewire-data-'));
  server = await Server.start({ TIDEWIRE_DATA: data, TIDEWIRE_RELAY: upstream.url });
});
afterEach(async () => {
  await server?.kill();
  upstream?.close();
  await rm(data, { recursive: true, force: true });
});

/** How many events of upstreams the server has had since it was started. */
async function events() {
  const { relay } = await (await fetch(`${server.url}/stats`)).json();
  return relay.routes[0].events;
}

async function restart() {
  await server.kill();
  await server.startAgain();
}

/** What a chat completion's events say. @param {any[]} chunks */
const textOf = (chunks) => chunks.map(({ choices }) => choices?.[0]?.delta.content ?? '').join('');

for (const [language, { missing }] of Object.entries(CLIENTS)) {
  const options = { skip: missing };
  const run = (...cases) => runCases(language, `${server.url}/v1`, language, cases);
  const calls = () => upstream.callsOf(language, 'paced').length;

  test(`the ${language} SDK raises an error for half an answer, and its Idempotency-Key gets a whole one`, options, async () => {
    const asked = run('cut');
    await until(async () => (await events()) >= SOME);
    await restart();
    const [first, again] = (await asked).get('cut');
    const { raised } = first.pop();
    assert.ok(raised, 'half an answer looks whole');
    assert.ok(first.length > 0);
    assert.ok(pacedText(WORDS).startsWith(textOf(first)), textOf(first));
    assert.equal(textOf(again), pacedText(WORDS));
    assert.equal(again.at(-1).raised, undefined);
    assert.equal(calls(), 2);
  });

  test(`the ${language} SDK asks again by itself when the server goes before an answer has begun`, options, async () => {
    const asked = run('cut-early');
    await until(() => calls() === 1);
    await restart();
    assert.equal(textOf((await asked).get('cut-early')), pacedText(5));
    assert.equal(calls(), 2);
  });

  test(`the ${language} SDK gets an answer of before by its Idempotency-Key; nobody is asked`, options, async () => {
    const before = (await run('with-key')).get('with-key');
    await restart();
    const after = (await run('with-key')).get('with-key');
    assert.ok(before[0].length > 3);
    assert.deepEqual(after, before);
    assert.equal(upstream.callsOf(language, 'text').length, 1);
  });
}

test("Anthropic's SDK raises an error for half an answer", async () => {
  const client = new Anthropic({ baseURL: server.url, apiKey: 'anthropic', authToken: null, maxRetries: 0 });
  const content = JSON.stringify({ count: 1000, every: 20 });
  const body = { model: 'paced', max_tokens: 100, messages: [{ role: 'user', content }], stream: true };
  const { data: stream, response } = await client.messages.create(body).withResponse();
  const place = response.headers.get('tidewire-stream');
  const seen = [];
  await assert.rejects(async () => {
    for await (const event of stream) {
      seen.push(event);
      if (seen.length === SOME) await restart();
    }
  });
  assert.ok(seen.length >= SOME);
  // Who comes back to it is told in the provider's words.
  const kept = await (await fetch(`${server.url}${place}`)).text();
  const last = /event: error\ndata: (.*)\n\n$/.exec(kept);
  assert.equal(JSON.parse(last[1]).error.code, 'interrupted');
  const types = Array.from(kept.matchAll(/^event: (.*)$/gm), ([, type]) => type).filter((type) => type !== 'ping');
  assert.deepEqual(types.slice(0, SOME), seen.slice(0, SOME).map(({ type }) => type));
});

test('an answer that is whole is the same to read after a restart, from its beginning and from any event', async () => {
  const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer raw' };
  const body = JSON.stringify({ model: 'odd', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  const asked = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body });
  const place = asked.headers.get('tidewire-stream');
  const whole = await asked.text();
  assert.ok(whole.endsWith('data: [DONE]\n\n'), whole);
  const read = async (last) => {
    const response = await fetch(`${server.url}${place}`, { headers: last ? { 'Last-Event-ID': last } : {} });
    return (await response.text()).replace(/^retry: .*\n/, '');
  };
  assert.equal(await read(), whole);
  await restart();
  assert.equal(await read(), whole);
  for (const block of whole.split('\n\n').slice(0, -1)) {
    const id = /^id: (.*)$/m.exec(block)[1];
    assert.equal(await read(id), whole.slice(whole.indexOf(block) + block.length + 2));
  }
  assert.equal(upstream.callsOf('raw', 'odd').length, 1);
});
