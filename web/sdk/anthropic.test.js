/**
 * Anthropic's own SDK, unmodified but for the base URL: what a program sees through the relay is what it sees without, and an
 * answer that breaks off is raised as the SDK's own error.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Server } from '../browser/support/server.js';
import { until } from './support/until.js';
import { Upstream } from './support/upstream.js';

/** @type {Upstream} */
let upstream;
/** @type {Server} */
let server;

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({ TIDEWIRE_RELAY: upstream.url });
});
after(async () => {
  await server?.kill();
  upstream?.close();
});

/** What is asked for with which model. @type {Record<string, (client: Anthropic, body: any) => Promise<any[]>>} */
const WAYS = {
  whole: async (client, body) => [await client.messages.create(body)],
  stream: async (client, body) => all(await client.messages.create({ ...body, stream: true })),
  accumulated: async (client, body) => {
    const stream = client.messages.stream(body);
    return [...(await all(stream)), await stream.finalMessage()];
  },
};

async function all(stream) {
  const events = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    events.push(raised(error));
  }
  return events;
}

function raised(error) {
  const { message, status, requestID, error: body } = error;
  return { raised: error instanceof Anthropic.APIError, kind: error.constructor.name, message, status, requestID, body };
}

/** @param {'direct' | 'relayed'} way @param {string} model */
function ask(way, model, read) {
  // It adds /v1 itself.
  const baseURL = way === 'direct' ? upstream.url.replace(/\/v1$/, '') : server.url;
  const client = new Anthropic({ baseURL, apiKey: way, authToken: null, maxRetries: 0 });
  const body = { model, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
  return read(client, body).catch((error) => [raised(error)]);
}

for (const [way, read] of Object.entries(WAYS)) {
  for (const model of ['text', 'tools', 'odd', 'busy']) {
    test(`messages, ${way}, ${model}: the same through the relay`, async () => {
      const direct = await ask('direct', model, read);
      const relayed = await ask('relayed', model, read);
      const last = direct.at(-1);
      if (model === 'busy') assert.deepEqual([last.kind, last.status], ['RateLimitError', 429]);
      else assert.ok(last.type === (way === 'stream' ? 'message_stop' : 'message'), JSON.stringify(last));
      assert.deepEqual(relayed, direct);
    });
  }
}

test('an error of the provider in mid-answer is raised, as it is without a relay', async () => {
  const [direct, relayed] = await Promise.all(['direct', 'relayed'].map((way) => ask(way, 'breaks', WAYS.stream)));
  assert.equal(direct.at(-1).raised, true, JSON.stringify(direct.at(-1)));
  assert.deepEqual(relayed, direct);
});

test('a provider that dies in mid-answer is raised as an error of the SDK', async () => {
  const relayed = await ask('relayed', 'dies', WAYS.stream);
  assert.ok(relayed.length > 3);
  const { raised, body } = relayed.at(-1);
  assert.equal(raised, true);
  assert.deepEqual([body.error.type, body.error.code], ['api_error', 'upstream_died']);
});

test('an answer that is stopped is raised as an error of the SDK', async () => {
  const client = new Anthropic({ baseURL: server.url, apiKey: 'stops', authToken: null, maxRetries: 0 });
  const content = JSON.stringify({ count: 1000, every: 20 });
  const body = { model: 'paced', max_tokens: 100, messages: [{ role: 'user', content }] };
  const { data, response } = await client.messages.create({ ...body, stream: true }).withResponse();
  const place = response.headers.get('tidewire-stream');
  const seen = all(data);
  assert.equal((await fetch(`${server.url}${place}`, { method: 'DELETE' })).status, 204);
  const { raised, body: told } = (await seen).at(-1);
  assert.deepEqual([raised, told.error.code], [true, 'stopped']);
  const [call] = upstream.callsOf('stops', 'paced');
  await until(() => call.isOver);
  assert.ok(call.hasLost);
});
