/**
 * `fakellm`, a provider in Python that nobody here wrote, in a process of its own. It speaks chat completions and Anthropic's
 * messages.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PYTHON } from './client.js';
import { freePort } from './mock-llm.js';
import { until } from './until.js';

const TEXT = 'Grüße, 世界! 🌊 One\ntwo — {"three": 4} data: [x] end.';
const CALLS = [{ name: 'weather', arguments: { city: 'Zürich', unit: '°C' } }];

/** The first that matches counts. */
const RULES = [
  { name: 'tools', when: { model_matches: 'tools' }, respond: { tool_calls: CALLS } },
  { name: 'busy', when: { model_matches: 'busy' }, respond: { status: 429, error: 'Later.' } },
  { name: 'down', when: { model_matches: 'down' }, respond: { status: 500, error: 'No.' } },
  { name: 'text', respond: { content: TEXT } },
];

export class FakeLlm {
  static TEXT = TEXT;
  /** Without a path. */
  url = '';
  #process;
  #folder;

  static async start() {
    const fake = new FakeLlm();
    fake.#folder = await mkdtemp(join(tmpdir(), 'tidewire-fakellm-'));
    const config = join(fake.#folder, 'fakellm.yaml');
    await writeFile(config, JSON.stringify({ version: 1, rules: RULES })); // which is YAML too
    const port = await freePort();
    fake.url = `http://127.0.0.1:${port}`;
    const serve = ['-m', 'fakellm.cli', 'serve', '--config', config, '--port', String(port)];
    fake.#process = spawn(PYTHON, serve, { stdio: 'ignore' });
    await until(() => {
      if (fake.#process.exitCode !== null) throw new Error(`fakellm ended at once: is it in ${PYTHON} (clients/requirements.txt)?`);
      return fetch(`${fake.url}/_fakellm/stats`).then(() => true, () => false);
    });
    return fake;
  }

  /** How often it was asked. */
  async requests() {
    return (await (await fetch(`${this.url}/_fakellm/stats`)).json()).total_requests;
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
