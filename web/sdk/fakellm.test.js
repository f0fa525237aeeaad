/**
 * Another provider that nobody here wrote, in another language: what the SDKs see of it through the relay is what they see of it
 * directly, but for the ids and times that it draws for each answer.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Server } from '../browser/support/server.js';
import { CLIENTS, runCases } from './support/client.js';
import { FakeLlm } from './support/fakellm.js';

/** What each case ends with. */
const CASES = {
  chat: (last) => assert.equal(last, null, 'it names no request'),
  'chat-stream': ({ choices }) => assert.equal(choices[0].finish_reason, 'stop'),
  'chat-tools': (last) => assert.equal(last, null),
  'chat-tools-stream': ({ choices }) => assert.equal(choices[0].finish_reason, 'tool_calls'),
  'chat-accumulated': ({ choices }) => assert.equal(choices[0].message.content, FakeLlm.TEXT),
  busy: ({ raised }) => assert.equal(raised, 'RateLimitError'),
  down: ({ raised }) => assert.equal(raised, 'InternalServerError'),
};

const { missing } = CLIENTS.python;

/** @type {FakeLlm} */
let fake;
/** @type {Server} */
let server;

before(async () => {
  if (missing) return;
  fake = await FakeLlm.start();
  server = await Server.start({ TIDEWIRE_RELAY: fake.url });
});
after(async () => {
  await server?.kill();
  await fake?.close();
});

/** Without what is drawn anew for each answer. */
const essence = (seen) =>
  JSON.parse(JSON.stringify(seen, (name, value) => (['id', 'created'].includes(name) ? undefined : value)));

for (const language of Object.keys(CLIENTS)) {
  test(`the ${language} SDK sees the same through the relay`, { skip: missing || CLIENTS[language].missing }, async () => {
    const cases = Object.keys(CASES);
    const [direct, relayed] = await Promise.all(
      [fake, server].map(({ url }) => runCases(language, `${url}/v1`, 'key', cases)),
    );
    for (const [name, isAsMeant] of Object.entries(CASES)) {
      isAsMeant(direct.get(name).at(-1) ?? null);
      assert.deepEqual(essence(relayed.get(name)), essence(direct.get(name)), name);
    }
  });
}

for (const [model, content] of Object.entries({
  text: [{ type: 'text', text: FakeLlm.TEXT }],
  tools: [{ type: 'tool_use', name: 'weather', input: { city: 'Zürich', unit: '°C' } }],
})) {
  test(`Anthropic's SDK sees the same through the relay: ${model}`, { skip: missing }, async () => {
    const [direct, relayed] = await Promise.all(
      [fake, server].map(async ({ url }) => {
        const client = new Anthropic({ baseURL: url, apiKey: 'key', authToken: null, maxRetries: 0 });
        const stream = client.messages.stream({ model, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] });
        const events = [];
        for await (const event of stream) events.push(event);
        return essence([...events, await stream.finalMessage()]);
      }),
    );
    const said = direct.at(-1).content.map(({ type, text, name, input }) => (text ? { type, text } : { type, name, input }));
    assert.deepEqual(said, content);
    assert.deepEqual(relayed, direct);
  });
}

test('it is asked once for an answer that is asked for twice with one Idempotency-Key', { skip: missing }, async () => {
  const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer a', 'Idempotency-Key': 'once' };
  const body = JSON.stringify({ model: 'text', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  const ask = async () => (await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body })).text();
  const before = await fake.requests();
  const [first, twin] = await Promise.all([ask(), ask()]);
  assert.ok(first.endsWith('data: [DONE]\n\n'), first);
  assert.deepEqual([twin, await ask()], [first, first]);
  assert.equal(await fake.requests(), before + 1);
});
