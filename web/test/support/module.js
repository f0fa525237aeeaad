/**
 * The page's modules in Node. They stand in a folder without a package.json (all in it is served), so
 * older versions of Node would not take them for ES modules: their text is imported instead.
 */

import { readFile } from 'node:fs/promises';

const FOLDER = new URL('../../../crates/server/pages/js/', import.meta.url);

/** A module of the page that imports nothing itself. @param {string} name */
export async function pageModule(name) {
  const source = await readFile(new URL(name, FOLDER), 'utf8');
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}
