/**
 * Buttons that copy a text of the page: `data-copy` names the element that holds it.
 */

import { t } from './i18n.js';
import { byId } from './notice.js';

const THANKS_MS = 1_500;

export function startCopyButtons() {
  for (const button of document.querySelectorAll('[data-copy]')) {
    const source = byId(button.getAttribute('data-copy') ?? '');
    button.addEventListener('click', () => void copy(source, button));
  }
}

/**
 * @param {HTMLElement} source
 * @param {Element} button
 */
async function copy(source, button) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? '');
  } catch {
    // No clipboard (plain HTTP beyond loopback, or refused): select it, so that Ctrl+C works.
    getSelection()?.selectAllChildren(source);
    return;
  }
  button.textContent = t('copied');
  setTimeout(() => {
    button.textContent = t('copy');
  }, THANKS_MS);
}
