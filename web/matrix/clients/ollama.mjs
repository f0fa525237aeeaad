/** Ollama's SDK in JavaScript. */

import { Ollama } from 'ollama';

const how = (plain) => ({ model: 'm', stream: !plain });

async function* both(job, ask) {
  const client = new Ollama({ host: job.base, headers: { Authorization: 'Bearer k', ...job.headers } });
  const said = await ask(client, how(job.plain));
  if (job.plain) return yield said;
  try {
    yield* said;
  } finally {
    client.abort();
  }
}

const chat = (job) => both(job, (client, body) => client.chat({ ...body, messages: [{ role: 'user', content: 'Hello' }] }));
const generate = (job) => both(job, (client, body) => client.generate({ ...body, prompt: 'Hello' }));

export default { 'ollama-js chat': chat, 'ollama-js generate': generate };
