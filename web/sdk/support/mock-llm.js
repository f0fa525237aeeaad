/**
 * `@dwmkerr/mock-llm`, a provider that nobody here wrote, in a process of its own. Its answers are its own, but for ids that
 * do not change with the time, so that two of them can be compared.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

const PROGRAM = fileURLToPath(import.meta.resolve('@dwmkerr/mock-llm'));

/** A rule. JMESPath says which requests it is for; the last that matches counts. */
const rule = (match, status, content) => ({
  path: '/v1/chat/completions',
  match,
  response: { status, content: JSON.stringify(content) },
});
const message = { role: 'assistant', content: '{{jmes request body.messages[-1].content}}, {{jmes request body.model}}! 🌊' };
const RULES = {
  streaming: { chunkSize: 3, chunkIntervalMs: 10 },
  rules: [
    rule('@', 200, {
      id: 'chatcmpl-mock',
      object: 'chat.completion',
      created: 1,
      model: '{{jmes request body.model}}',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
    }),
    rule("body.model == 'refused'", 401, { error: { message: 'No.', type: 'invalid_request_error', code: 'no' } }),
    rule("body.model == 'busy'", 429, { error: { message: 'Later.', type: 'requests', code: 'later' } }),
  ],
};

export class MockLlm {
  url = '';
  #process;
  #folder;

  static async start() {
    const mock = new MockLlm();
    mock.#folder = await mkdtemp(join(tmpdir(), 'tidewire-mock-llm-'));
    const config = join(mock.#folder, 'mock-llm.yaml');
    await writeFile(config, JSON.stringify(RULES)); // which is YAML too
    const port = await freePort();
    mock.url = `http://127.0.0.1:${port}/v1`;
    mock.#process = spawn(process.execPath, [PROGRAM, '--config', config], {
      env: { ...process.env, HOST: '127.0.0.1', PORT: String(port) },
      stdio: 'ignore',
    });
    await until(() => fetch(`${mock.url}/models`).then(() => true, () => false));
    return mock;
  }

  async close() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** For a program that can only be told a port. */
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}
