/**
 * A provider that nobody here wrote: what the SDKs see of it through the relay is what they see of it directly.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from '../browser/support/server.js';
import { CLIENTS, runCases } from './support/client.js';
import { MockLlm } from './support/mock-llm.js';

/** What each case ends with. */
const CASES = {
  chat: (last) => assert.equal(last, null, 'it names no request'),
  'chat-stream': ({ choices }) => assert.equal(choices[0].finish_reason, 'stop'),
  'chat-accumulated': ({ choices }) => assert.equal(choices[0].message.content, 'Hello, text! 🌊'),
  refused: ({ raised }) => assert.equal(raised, 'AuthenticationError'),
  busy: ({ raised }) => assert.equal(raised, 'RateLimitError'),
  // It says so in the stream, with a 200.
  'refused-stream-read': ({ raised }) => assert.equal(raised, 'APIError'),
};

/** @type {MockLlm} */
let mock;
/** @type {Server} */
let server;

before(async () => {
  mock = await MockLlm.start();
  server = await Server.start({ TIDEWIRE_RELAY: mock.url });
});
after(async () => {
  await server?.kill();
  await mock?.close();
});

for (const [language, { missing }] of Object.entries(CLIENTS)) {
  test(`the ${language} SDK sees the same through the relay`, { skip: missing }, async () => {
    const bases = [mock.url, `${server.url}/v1`];
    const cases = Object.keys(CASES);
    const [direct, relayed] = await Promise.all(bases.map((base) => runCases(language, base, 'key', cases)));
    for (const [name, isAsMeant] of Object.entries(CASES)) {
      isAsMeant(direct.get(name).at(-1) ?? null);
      assert.deepEqual(relayed.get(name), direct.get(name), name);
    }
  });
}
