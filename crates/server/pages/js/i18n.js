/**
 * The page's texts (`texts-en.js`, `texts-zh.js`), and the switch between the languages.
 *
 * Texts are filled in as text, never as markup. `{name}` in a text is a parameter.
 * The choice is kept in localStorage and shows in `<html lang>`.
 */

import { en } from './texts-en.js';
import { zh } from './texts-zh.js';

/** @typedef {'en' | 'zh'} Language */
/** @typedef {Record<string, string | number>} Parameters */

const STORAGE_KEY = 'tidewire.language';

/** @type {Record<Language, Record<string, string>>} */
export const texts = { en: { ...en }, zh: { ...zh } };

/** @type {Language} */
let current = 'en';
/** @type {Array<() => void>} */
const listeners = [];

/**
 * Adds the texts of one page. Before the language is picked.
 * @param {Record<Language, Record<string, string>>} more
 */
export function addTexts(more) {
  Object.assign(texts.en, more.en);
  Object.assign(texts.zh, more.zh);
}

/** The language in use. @returns {Language} */
export function language() {
  return current;
}

/**
 * The text of a key in the current language, with its parameters filled in. Numbers are grouped.
 * @param {string} key
 * @param {Parameters} [parameters]
 */
export function t(key, parameters = {}) {
  const text = texts[current][key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = parameters[name];
    return typeof value === 'number' ? value.toLocaleString(current) : String(value ?? '');
  });
}

/** Calls `listener` after each change of language. @param {() => void} listener */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Picks the language: the one chosen before, else the browser's. */
export function startLanguage() {
  /** @type {string | null} */
  let stored = null;
  try {
    stored = localStorage.getItem(STORAGE_KEY);
  } catch {
    // Storage can be switched off; the browser's own language will do.
  }
  const wanted = stored ?? navigator.language;
  current = wanted.startsWith('zh') ? 'zh' : 'en';
  apply();
}

/** @param {Language} next */
export function setLanguage(next) {
  current = next;
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
  apply();
}

/** Fills the static texts of the document, then lets the views draw theirs. */
function apply() {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  fillTexts(document);
  for (const listener of listeners) listener();
}

/** Fills the static texts below an element, such as one that was made of a template. @param {ParentNode} root */
export function fillTexts(root) {
  for (const element of root.querySelectorAll('[data-i18n]')) {
    element.textContent = t(/** @type {HTMLElement} */ (element).dataset.i18n ?? '');
  }
  for (const element of root.querySelectorAll('[data-i18n-label]')) {
    element.setAttribute('aria-label', t(element.getAttribute('data-i18n-label') ?? ''));
  }
  for (const element of root.querySelectorAll('[data-i18n-placeholder]')) {
    element.setAttribute('placeholder', t(element.getAttribute('data-i18n-placeholder') ?? ''));
  }
}
