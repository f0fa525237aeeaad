/**
 * The official JavaScript SDK, asked for one case after another: `openai-sdk.mjs BASE_URL KEY CASE...`.
 *
 * Prints a line of JSON a case: what a program sees of it. `openai_sdk.py` is the same in Python.
 */

import OpenAI from 'openai';

const [base, key, ...cases] = process.argv.slice(2);
// Until the headers: they come at the latest after `commit_after`. Only who asks for `late` without a relay waits longer.
const SHORT_TIMEOUT_MS = 5_000;

const messages = [{ role: 'user', content: 'Hello' }];
const schema = {
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const chatTools = { tools: [{ type: 'function', function: schema }] };
const responsesTools = { tools: [{ type: 'function', ...schema }] };

const client = new OpenAI({ baseURL: base, apiKey: key });

const chat = (model, body = {}, options = {}) => client.chat.completions.create({ model, messages, ...body }, options);
const chatStream = (model, body = {}, options = {}) =>
  chat(model, { stream: true, stream_options: { include_usage: true }, ...body }, options);
const response = (model, body = {}) => client.responses.create({ model, input: 'Hello', ...body });

/** Every event; and the error, if they end with one. */
async function seen(asked) {
  const out = [];
  try {
    for await (const event of await asked) out.push(event);
  } catch (error) {
    out.push(raised(error));
  }
  return out;
}

async function whole(asked) {
  try {
    const answer = await asked;
    return [answer, answer._request_id];
  } catch (error) {
    return [raised(error)];
  }
}

function raised(error) {
  if (!(error instanceof OpenAI.APIError)) return { raised: error.constructor.name, message: error.message };
  const { message, code, status, requestID, error: body } = error;
  const retry = error.headers?.get('retry-after');
  return { raised: error.constructor.name, message, code, status, request: requestID, retry, body };
}

async function accumulated(stream, last) {
  const events = [];
  for await (const event of stream) events.push(event);
  return [events, await last(stream)];
}

/** The same request twice, as a program does that has not seen the answer to the first. */
async function withKey() {
  const options = { headers: { 'Idempotency-Key': 'javascript-1' } };
  const first = await seen(chatStream('text', { user: 'with-key' }, options));
  return [first, await seen(chatStream('text', { user: 'with-key' }, options))];
}

/** A program that has enough after three events. */
async function gone() {
  const prompt = [{ role: 'user', content: JSON.stringify({ count: 1000, every: 20 }) }];
  const stream = await client.chat.completions.create({ model: 'paced', messages: prompt, stream: true });
  const first = [];
  for await (const event of stream) {
    first.push(event);
    if (first.length === 3) break;
  }
  stream.controller.abort();
  return first;
}

/** Asks again by itself for as long as a server takes to come back. */
const patient = (content, headers = {}) =>
  client.chat.completions.create(
    { model: 'paced', messages: [{ role: 'user', content: JSON.stringify(content) }], stream: true },
    { headers, maxRetries: 6 },
  );

/** An answer whose server goes away in its midst, whatever that looks like; and the same again. */
async function cut() {
  const ask = () => patient({ count: 200, every: 20 }, { 'Idempotency-Key': 'cut' });
  const first = await seen(ask());
  return [first, await seen(ask())];
}

const all = {
  chat: () => whole(chat('text')),
  'chat-stream': () => seen(chatStream('text')),
  'chat-tools': () => whole(chat('tools', chatTools)),
  'chat-tools-stream': () => seen(chatStream('tools', chatTools)),
  'chat-accumulated': () =>
    accumulated(client.chat.completions.stream({ model: 'text', messages }), (stream) => stream.finalChatCompletion()),
  'chat-odd': () => seen(chatStream('odd')),
  responses: () => whole(response('text')),
  'responses-stream': () => seen(response('text', { stream: true })),
  'responses-tools': () => whole(response('tools', responsesTools)),
  'responses-tools-stream': () => seen(response('tools', { stream: true, ...responsesTools })),
  'responses-accumulated': () =>
    accumulated(client.responses.stream({ model: 'text', input: 'Hello' }), (stream) => stream.finalResponse()),
  refused: () => whole(chat('refused')),
  'refused-stream': () => whole(chatStream('refused')),
  'refused-stream-read': () => seen(chatStream('refused')),
  busy: () => whole(chat('busy', {}, { maxRetries: 0 })),
  'busy-once': () => whole(chat('busy-once', {}, { maxRetries: 2 })),
  down: () => whole(chat('down', {}, { maxRetries: 1 })),
  breaks: () => seen(chatStream('breaks')),
  'responses-breaks': () => seen(response('breaks', { stream: true })),
  dies: () => seen(chatStream('dies')),
  'with-key': withKey,
  gone,
  cut,
  'cut-early': () => seen(patient({ count: 5, every: 0, first: 2000 })),
  late: () => seen(chatStream('late')),
  'late-impatient': () => seen(chatStream('late', {}, { timeout: SHORT_TIMEOUT_MS, maxRetries: 0 })),
};

for (const name of cases) {
  process.stdout.write(`${JSON.stringify({ case: name, seen: await all[name]() })}\n`);
}
