/**
 * The processes in which clients run, one a language.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PYTHON } from '../sdk/support/client.js';

const pathOf = (place) => fileURLToPath(new URL(place, import.meta.url));
const PROGRAMS = {
  js: [process.execPath, pathOf('clients/run.mjs')],
  py: [PYTHON, pathOf('clients/run.py')],
};
/** Longer than any client tries again by itself. */
const PATIENCE_MS = 30_000;
/** The class of the error of a client that has not come to an end. */
export const HUNG = 'hung';

export class Runner {
  /** Which clients it has, and why it has no others. */
  clients = [];
  missing = {};
  #process;
  #waiting = new Map();

  /** One of each language; one that cannot start has no clients, and says why. */
  static async all() {
    return Promise.all(Object.keys(PROGRAMS).map((language) => new Runner().#start(language)));
  }

  async #start(language) {
    const [program, script] = PROGRAMS[language];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().endsWith('_proxy')));
    this.#process = spawn(program, [script], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve({ clients: [], missing: { all: error.message } }));
      this.#process.once('exit', (code) => resolve({ clients: [], missing: { all: `ended with ${code}` } }));
    });
    const lines = createInterface({ input: this.#process.stdout });
    const told = new Promise((resolve) => {
      lines.on('line', (line) => {
        const said = JSON.parse(line);
        if (said.clients) resolve(said);
        else this.#waiting.get(said.id)?.(said.seen);
      });
    });
    const { clients, missing } = await Promise.race([told, failed]);
    this.clients = clients;
    this.missing = Object.fromEntries(Object.entries(missing).map(([file, why]) => [`${language} ${file}`, why]));
    return this;
  }

  /** What a program sees. @param {{ id: string, client: string, base: string, headers: Record<string, string> }} job */
  async run(job) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const seen = new Promise((resolve) => {
      this.#waiting.set(job.id, resolve);
      const error = { class: HUNG, message: `${PATIENCE_MS / 1000} s` };
      timer = setTimeout(() => resolve([{ events: [], error }]), PATIENCE_MS);
    });
    this.#process.stdin.write(`${JSON.stringify(job)}\n`);
    return seen.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(job.id);
    });
  }

  close() {
    this.#process.kill();
  }
}
