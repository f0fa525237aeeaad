/** What a page has to load: printed, and never more than it was (`sizes.json`, gzipped and minified). */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
// @ts-expect-error a script without types
import { BUNDLE, EXPORTS, forPages, size } from '../bundle.mjs';
import limits from '../sizes.json' with { type: 'json' };

/** Zlib and esbuild differ a little from version to version. */
const SLACK = 1.01;

for (const [name, contents] of Object.entries(EXPORTS as Record<string, string>)) {
  test(`${name} is no larger than it was`, async () => {
    const bytes: number = await size(contents);
    const limit = limits[name as keyof typeof limits];
    console.log(`${name}: ${bytes} bytes`);
    expect(bytes, 'larger: is it worth it?').toBeLessThanOrEqual(limit * SLACK);
    expect(bytes, 'smaller: put the new size into sizes.json').toBeGreaterThanOrEqual(limit / SLACK);
  });
}

// So the tests must not write it before (`npm test` builds, but does not bundle).
test('the committed bundle is what the sources make', async () => {
  expect(await readFile(BUNDLE, 'utf8'), 'run `npm run build` in web/, and commit it').toBe(await forPages());
});
