/** Anthropic's SDK in JavaScript. */

import Anthropic from '@anthropic-ai/sdk';

const body = { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
const client = ({ base, headers }) => new Anthropic({ baseURL: base, apiKey: 'k', authToken: null, defaultHeaders: headers });

async function* messages(job) {
  if (job.plain) yield await client(job).messages.create(body);
  else yield* await client(job).messages.create({ ...body, stream: true });
}

/** The helper that adds up the events. */
async function* messagesStream(job) {
  const stream = client(job).messages.stream(body);
  yield* stream;
  yield await stream.finalMessage();
}

export default { 'anthropic-js messages': messages, 'anthropic-js messages.stream': messagesStream };
