/** OpenAI's SDK in JavaScript. */

import OpenAI, { AzureOpenAI, toFile } from 'openai';

const messages = [{ role: 'user', content: 'Hello' }];
/** More than the relay holds of a body (`max_body`). */
const FILE_BYTES = 40 << 20;
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

async function* responses(job) {
  const body = { model: 'm', input: 'Hello' };
  if (job.plain) yield await client(job).responses.create(body);
  else yield* await client(job).responses.create({ ...body, stream: true });
}

async function* responsesStream(job) {
  const stream = client(job).responses.stream({ model: 'm', input: 'Hello' });
  yield* stream;
  yield await stream.finalResponse();
}

async function* models(job) {
  yield await client(job).models.retrieve('meta-llama/Llama-3');
}

async function* upload(job) {
  const file = await toFile(Buffer.alloc(FILE_BYTES, 'x'), 'large.jsonl');
  yield await client(job).files.create({ file, purpose: 'batch' });
}

export default {
  'openai-js chat': chat,
  'openai-js chat.stream': chatStream,
  'openai-js azure': azure,
  'openai-js many': chat,
  'openai-js models': models,
  'openai-js upload': upload,
  'openai-js responses': responses,
  'openai-js responses.stream': responsesStream,
};
