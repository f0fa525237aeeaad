/** The package as it is packed, in a project that has nothing else. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const WEB = fileURLToPath(new URL('../..', import.meta.url));

/** @param {string} command @param {string[]} parts @param {string} cwd */
export function run(command, parts, cwd) {
  return execFileSync(command, parts, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export class Project {
  #folder = mkdtempSync(`${tmpdir()}/tidewire-`);
  /** Where the project is. */
  path = `${this.#folder}/project`;
  /** What the package has. @type {string[]} */
  packed;

  /** @param {boolean} isBuilt it is packed as `npm test` has built it; else from a clean checkout, which builds it once more */
  constructor(isBuilt) {
    const checkout = isBuilt ? `${WEB}tidewire` : `${this.#folder}/checkout`;
    if (!isBuilt) {
      cpSync(`${WEB}tidewire`, checkout, { recursive: true, filter: (path) => !/\/(dist|node_modules)$/.test(path) });
      symlinkSync(`${WEB}node_modules`, `${checkout}/node_modules`);
    }
    mkdirSync(`${this.path}/node_modules`, { recursive: true });
    const options = isBuilt ? ['--ignore-scripts'] : [];
    const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', this.path, ...options], checkout));
    this.packed = files.map(({ path }) => path);
    run('tar', ['-xzf', filename], this.path);
    cpSync(`${this.path}/package`, `${this.path}/node_modules/tidewire`, { recursive: true });
    writeFileSync(`${this.path}/package.json`, '{ "private": true, "dependencies": { "tidewire": "*" } }');
  }

  /** Adds a package that is installed here. @param {string} name @param {string} from whose `node_modules` */
  link(name, from = WEB) {
    const place = `${this.path}/node_modules/${name}`;
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(`${from}node_modules/${name}`, place);
  }

  /** @param {string} name */
  unlink(name) {
    rmSync(`${this.path}/node_modules/${name}`, { force: true });
  }

  /** @param {string} file @param {string} name */
  copy(file, name = file.replace(/.*\//s, '')) {
    cpSync(file, `${this.path}/${name}`);
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
