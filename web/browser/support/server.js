/**
 * The real `tidewire` binary, started on a free port of the loopback and stopped by its own handle.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 20_000;
const LISTENING = /listening on (http:\/\/\S+)/;

/** From `TIDEWIRE_BIN`, else what cargo has built. */
export function binary() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../../target/${profile}/tidewire`, import.meta.url)),
  );
  const candidates = process.env.TIDEWIRE_BIN ? [process.env.TIDEWIRE_BIN] : built;
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new Error(`no tidewire binary at ${candidates.join(' or ')}: build it, or set TIDEWIRE_BIN`);
}

/** In memory, unless a test names a folder (`TIDEWIRE_DATA`). */
const placeOfLog = (settings) => (settings.TIDEWIRE_DATA ? {} : { TIDEWIRE_MEMORY: 'true' });

export class Server {
  /** Where it answers, as it printed it. */
  url = '';
  #process;
  #folder;
  #settings;
  #file;

  /** @param {Record<string, string>} settings as environment variables @param {string} file as its `tidewire.toml` */
  constructor(settings, file) {
    this.#settings = settings;
    this.#file = file;
  }

  /**
   * Starts one.
   * @param {Record<string, string>} [settings] as environment variables: `TIDEWIRE_…`
   * @param {string} [file] the text of its `tidewire.toml`
   */
  static async start(settings = {}, file = '') {
    const server = new Server(settings, file);
    await server.#start('127.0.0.1:0');
    return server;
  }

  /** Ends it without a chance to say goodbye. */
  async kill() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.removeListener('exit', diedByItself);
      this.#process.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Starts it again on the same port, with nothing left of before but its `TIDEWIRE_DATA`. */
  async startAgain() {
    await this.#start(new URL(this.url).host);
  }

  async #start(listen) {
    // An empty folder, so that no tidewire.toml of the developer has a say.
    this.#folder = await mkdtemp(join(tmpdir(), 'tidewire-browser-'));
    if (this.#file) await writeFile(join(this.#folder, 'tidewire.toml'), this.#file);
    this.#process = spawn(binary(), ['--listen', listen], {
      cwd: this.#folder,
      env: { ...withoutOwnSettings(process.env), ...placeOfLog(this.#settings), ...this.#settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.url = await listeningAt(this.#process);
    this.#process.once('exit', diedByItself);
  }
}

/** @param {import('node:child_process').ChildProcess} child */
async function listeningAt(child) {
  const heard = [];
  child.stderr.on('data', (chunk) => heard.push(chunk));
  const lines = createInterface({ input: child.stdout });
  /** @type {NodeJS.Timeout | undefined} */
  let deadline;
  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`tidewire ${why}\n${Buffer.concat(heard)}`));
    deadline = setTimeout(() => fail('did not say where it listens'), START_TIMEOUT_MS);
    child.once('error', (error) => fail(`did not start: ${error.message}`));
    child.once('exit', (code) => fail(`ended with ${code}`));
    lines.on('line', (line) => {
      const match = LISTENING.exec(line);
      if (match) resolve(match[1]);
    });
  }).finally(() => clearTimeout(deadline));
  child.stderr.removeAllListeners('data').on('data', (chunk) => process.stderr.write(chunk));
  return url;
}

/** Nobody asked the server to end: what fails after that is not the page's fault. */
function diedByItself(code, signal) {
  process.stderr.write(`tidewire ended by itself: ${signal ?? `exit code ${code}`}\n`);
}

/** The server reads `TIDEWIRE_*`; the tests' own variables are none of its business. */
export function withoutOwnSettings(environment) {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith('TIDEWIRE_'));
  return Object.fromEntries(kept);
}
