/** nginx as Debian has it, with a configuration in a folder of its own; it is gone with its folder when it is stopped. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = process.env.NGINX ?? '/usr/sbin/nginx';
/** Where Debian puts it. */
export const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

/** Why it cannot be had here, or false. @param {string[]} more files that are needed, too */
export function missing(...more) {
  const file = [PROGRAM, ...more].find((file) => !existsSync(file));
  return file ? `there is no ${file}: apt-get install nginx libnginx-mod-nchan openssl` : false;
}

export class Nginx {
  folder = '';
  #process;

  /**
   * Starts one, and waits until it listens.
   * @param {(folder: string) => string} configuration @param {number[]} ports where it is to listen
   */
  static async start(configuration, ports) {
    const nginx = new Nginx();
    nginx.folder = await mkdtemp(join(tmpdir(), 'tidewire-nginx-'));
    await writeFile(join(nginx.folder, 'nginx.conf'), configuration(nginx.folder));
    const args = ['-p', nginx.folder, '-c', 'nginx.conf', '-e', 'stderr', '-g', 'daemon off; master_process off;'];
    nginx.#process = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    nginx.#process.stderr.on('data', (text) => process.stderr.write(text));
    for (const port of ports) await nginx.#listens(port);
    return nginx;
  }

  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** It says nowhere that it listens. @param {number} port */
  async #listens(port) {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      const isThere = await once(socket, 'connect').then(() => true, () => false);
      socket.destroy();
      if (isThere) return;
      assert.equal(this.#process.exitCode, null, 'nginx does not run');
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

/** Ports that are free now: nginx has to be told where to listen. @param {number} count */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port);
  await Promise.all(servers.map((server) => (server.close(), once(server, 'close'))));
  return ports;
}
