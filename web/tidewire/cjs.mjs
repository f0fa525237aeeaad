/** The package for `require`: each module of `dist` once more as CommonJS, with the same types. */

import { cp, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const DIST = `${FOLDER}dist`;
const CJS = `${DIST}/cjs`;

const files = (await readdir(`${FOLDER}src`, { recursive: true })).filter((file) => file.endsWith('.ts'));
await build({
  entryPoints: files.map((file) => `${FOLDER}src/${file}`),
  outbase: `${FOLDER}src`,
  outdir: CJS,
  format: 'cjs',
  platform: 'neutral',
  target: 'es2022',
  // The address of the worker's script, of which CommonJS knows nothing: one of the tabs reads instead, or the option says it.
  define: { 'import.meta.url': 'undefined' },
});
for (const file of files.map((file) => file.replace(/\.ts$/, '.d.ts'))) await cp(`${DIST}/${file}`, `${CJS}/${file}`);
await writeFile(`${CJS}/package.json`, '{ "type": "commonjs" }\n');
