/**
 * Puts the package into single files: the one that the server's pages load is committed among them, and the tests compare
 * it with what comes out here; sizes of single exports are measured in the same way.
 */

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/**
 * What is measured: the name, and what a page imports. All with a subscription weigh about 950 bytes more since that is
 * a machine with a driver: names of inputs and actions stay as they are, where locals of one function became letters.
 */
export const EXPORTS = {
  EventSource: "export { EventSource } from './src/index.ts'",
  events: "export { events } from './src/index.ts'",
  fetchEventSource: "export { fetchEventSource } from './src/index.ts'",
  Parser: "export { Parser } from './src/index.ts'",
  'all of tidewire': "export * from './src/index.ts'",
  'tidewire/shared': "export * from './src/shared/index.ts'",
  'tidewire/react': "export * from './src/react/index.ts'",
};

/** @param {string} contents @returns {Promise<string>} one minified module */
export async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: FOLDER, loader: 'ts' },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['react'],
  });
  return outputFiles[0].text;
}

/** @param {string} contents bytes after gzip */
export async function size(contents) {
  return gzipSync(await bundle(contents), { level: 9 }).length;
}

/** Pages have no build step, and a crate must hold what it embeds. */
export const BUNDLE = fileURLToPath(new URL('../../crates/server/pages/js/vendor/tidewire.js', import.meta.url));

/** The file for pages. */
export async function forPages() {
  return `// @ts-nocheck: the npm package tidewire in one file; made from web/tidewire/src by \`npm run build\`.\n${await bundle(EXPORTS['all of tidewire'])}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(BUNDLE, await forPages());
}
