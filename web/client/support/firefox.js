/** A real Firefox with a fresh profile, by WebDriver BiDi: no more of it than a test needs to run a program in a page. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const PROGRAM = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const LISTENING = /^WebDriver BiDi listening on (ws:\S+)/;
const START_TIMEOUT_MS = 60_000;

/** Why there is none here, or false. */
export function missing() {
  try {
    accessSync(PROGRAM, constants.X_OK);
    return false;
  } catch {
    return `no Firefox at ${PROGRAM}: install it (apt-get install firefox-esr), or set FIREFOX`;
  }
}

export class Firefox {
  #process;
  #profile = '';
  /** @type {WebSocket} */
  #socket;
  #last = 0;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map();

  static async start() {
    const firefox = new Firefox();
    try {
      await firefox.#start();
    } catch (error) {
      await firefox.close();
      throw error;
    }
    return firefox;
  }

  async #start() {
    this.#profile = await mkdtemp(join(tmpdir(), 'tidewire-firefox-'));
    const args = ['--headless', '--no-remote', '--remote-debugging-port', '0', '--profile', this.#profile];
    // Its own settings and caches are looked for in the home folder.
    const env = { ...process.env, HOME: this.#profile, MOZ_DISABLE_CONTENT_SANDBOX: '1' };
    this.#process = spawn(PROGRAM, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const url = await this.#listening();
    this.#socket = new WebSocket(`${url}/session`);
    await once(this.#socket, 'open');
    this.#socket.on('message', (text) => this.#answered(JSON.parse(String(text))));
    this.#socket.on('close', () => this.#fail(new Error('Firefox has gone')));
    await this.#ask('session.new', { capabilities: {} });
  }

  async #listening() {
    const said = [];
    const lines = createInterface({ input: this.#process.stderr });
    /** @type {NodeJS.Timeout | undefined} */
    let deadline;
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`Firefox ${why}\n${said.join('\n')}`));
      deadline = setTimeout(() => fail('does not say where it listens'), START_TIMEOUT_MS);
      this.#process.once('error', (error) => fail(`did not start: ${error.message}`));
      this.#process.once('exit', (code) => fail(`ended with ${code}`));
      lines.on('line', (line) => {
        said.push(line);
        const url = LISTENING.exec(line)?.[1];
        if (url) resolve(url);
      });
    }).finally(() => clearTimeout(deadline));
  }

  /** Opens an address, evaluates a script there, and then an expression, whose value comes back as JSON has it. */
  async run(url, script, expression) {
    const { context } = await this.#ask('browsingContext.create', { type: 'tab' });
    await this.#ask('browsingContext.navigate', { context, url, wait: 'complete' });
    const target = { context };
    const whole = `${script}\n;(async () => JSON.stringify(await ${expression}))()`;
    const answer = await this.#ask('script.evaluate', { expression: whole, target, awaitPromise: true });
    if (answer.type !== 'success') throw new Error(answer.exceptionDetails.text);
    return JSON.parse(answer.result.value);
  }

  #ask(method, params) {
    return new Promise((resolve, reject) => {
      this.#asked.set((this.#last += 1), { resolve, reject });
      this.#socket.send(JSON.stringify({ id: this.#last, method, params }));
    });
  }

  #answered({ id, type, result, error, message }) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (type === 'success') asked?.resolve(result);
    else if (type === 'error') asked?.reject(new Error(`${error}: ${message}`));
  }

  #fail(error) {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  async close() {
    this.#socket?.terminate();
    const { exitCode, signalCode, pid } = this.#process ?? {};
    if (pid && exitCode === null && signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    if (this.#profile) await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
