/** A Worker in workerd, the runtime of Cloudflare's Workers, on a free port of the loopback. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = (
      modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
      compatibilityDate = "2025-01-01",
      globalOutbound = "network",
    )),
    # The servers of a test are on the loopback.
    (name = "network", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
`;

const TIMEOUT_MS = 120_000;

/**
 * Answers a request by a Worker, and ends it.
 * @param {string} program workerd
 * @param {string} folder for what it is given
 * @param {string} script the Worker, as one module
 * @param {string} query
 */
export async function ask(program, folder, script, query) {
  await writeFile(join(folder, 'worker.mjs'), script);
  await writeFile(join(folder, 'config.capnp'), CONFIG);
  const child = spawn(program, ['serve', '--control-fd=1', join(folder, 'config.capnp')], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { event, port } = JSON.parse(line);
      if (event !== 'listen') continue;
      const response = await fetch(`http://127.0.0.1:${port}/?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return await response.json();
    }
    throw new Error('workerd does not say where it listens');
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}
