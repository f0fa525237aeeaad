/**
 * The field for topics: one, or several, separated by commas or lines. It grows with its lines.
 */

import { byId } from './notice.js';

const MOST_ROWS = 8;

/** The topics in a text, each once. @param {string} text */
export function parseTopics(text) {
  const names = text.split(/[,\n]/).map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

/** The topics that the field names. */
export function currentTopics() {
  return parseTopics(/** @type {HTMLTextAreaElement} */ (byId('topic')).value);
}

/** Enter connects, as in a field of one line; with Shift it makes a line. */
export function startTopicsField() {
  const field = /** @type {HTMLTextAreaElement} */ (byId('topic'));
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    field.form?.requestSubmit();
  });
  const fit = () => {
    field.rows = Math.min(field.value.split('\n').length, MOST_ROWS);
  };
  field.addEventListener('input', fit);
  fit();
}
