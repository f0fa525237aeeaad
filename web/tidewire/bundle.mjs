/**
 * Puts the package into single files: `bundle/tidewire.js`, for pages without a build step, is committed, and the tests
 * compare it with what comes out here; sizes of single exports are measured in the same way.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** What is measured: the name, and what a page imports. */
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

export const BUNDLE = fileURLToPath(new URL('bundle/tidewire.js', import.meta.url));

/** The file for pages. */
export async function forPages() {
  return `// The npm package tidewire in one file; made from web/tidewire/src by \`npm run build\`.\n${await bundle(EXPORTS['all of tidewire'])}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(fileURLToPath(new URL('bundle', import.meta.url)), { recursive: true });
  await writeFile(BUNDLE, await forPages());
}
