/**
 * Runs the clients in JavaScript. A job comes as a line of JSON on standard input, what a program saw of it goes as a line to
 * standard output; `run.py` is the same in Python. The first line says which clients there are, and why others are not.
 */

import { createInterface } from 'node:readline';

const FILES = ['openai', 'anthropic', 'google', 'cohere', 'mistral', 'ollama', 'ai-sdk', 'ag-ui', 'tanstack', 'mcp'];
/** Whether a program has seen the middle of an answer (`words.js`). */
const MIDDLE = 'tok5';

const clients = {};
const missing = {};
for (const file of FILES) {
  try {
    Object.assign(clients, (await import(`./${file}.mjs`)).default);
  } catch (error) {
    missing[file] = error.message.split('\n')[0];
  }
}
say({ clients: Object.keys(clients), missing });

// What a library leaves to itself after its stream was left is no matter of the next job.
for (const trouble of ['unhandledRejection', 'uncaughtException']) {
  process.on(trouble, (error) => process.stderr.write(`${trouble}: ${error?.stack ?? error}\n`));
}
for await (const line of createInterface({ input: process.stdin })) void take(JSON.parse(line));
process.exit();

async function take(job) {
  const ask = () => seen(job);
  const out = [];
  if (job.twins) out.push(...(await Promise.all(Array.from({ length: job.twins }, ask))));
  else for (let time = 0; time < (job.times ?? 1); time += 1) out.push(await ask());
  say({ id: job.id, seen: out });
}

/** Every event, and the error, if they end with one. */
async function seen(job) {
  const events = [];
  try {
    for await (const event of clients[job.client](job)) {
      events.push(event);
      if (job.leave && JSON.stringify(event).includes(MIDDLE)) break;
    }
    return { events };
  } catch (error) {
    return { events, error: { class: error?.constructor?.name, message: error?.message, status: error?.status } };
  }
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
