/** OpenAI's SDK in JavaScript. */

import OpenAI, { AzureOpenAI } from 'openai';

const messages = [{ role: 'user', content: 'Hello' }];
const client = ({ base, headers }) => new OpenAI({ baseURL: `${base}/v1`, apiKey: 'k', defaultHeaders: headers });

async function* chat(job, openai = client(job)) {
  const body = { model: 'm', messages };
  if (job.plain) yield await openai.chat.completions.create(body);
  else yield* await openai.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } });
}

async function* azure(job) {
  const { base, headers } = job;
  const options = { endpoint: base, apiKey: 'k', apiVersion: '2026-10-01', deployment: 'm', defaultHeaders: headers };
  yield* chat(job, new AzureOpenAI(options));
}

/** The helper that adds up the events. */
async function* chatStream(job) {
  const stream = client(job).chat.completions.stream({ model: 'm', messages });
  yield* stream;
  yield await stream.finalChatCompletion();
}

export default { 'openai-js chat': chat, 'openai-js azure': azure, 'openai-js chat.stream': chatStream };
