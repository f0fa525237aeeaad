/**
 * The token that the server may want: from its field, in this page's memory and nowhere else.
 */

import { onLanguage, t } from './i18n.js';
import { byId } from './notice.js';

/** What a token can be made of; anything else could not stand in a header. */
const USUAL = /^[A-Za-z0-9\-._~+/=]*$/;

let token = '';
/** @type {Array<() => void>} */
const listeners = [];

/** The token, empty if there is none. */
export function currentToken() {
  return token;
}

/** The header that shows the token. @returns {Record<string, string>} */
export function authorization() {
  return token === '' ? {} : { Authorization: `Bearer ${token}` };
}

/** Calls `listener` after each change of the token. @param {() => void} listener */
export function onToken(listener) {
  listeners.push(listener);
}

/** Shows the field, for a server that wants a token, and takes people to it if they ask. */
export function showTokenField({ focus = false } = {}) {
  byId('access').hidden = false;
  if (focus) byId('token').focus();
}

export function startTokenField() {
  const field = /** @type {HTMLInputElement} */ (byId('token'));
  const fault = byId('token-fault');
  const draw = () => {
    const value = field.value.trim();
    const usual = USUAL.test(value);
    token = usual ? value : '';
    field.setAttribute('aria-invalid', String(!usual));
    fault.textContent = usual ? '' : t('token.unusual');
  };
  field.addEventListener('input', draw);
  // Told when the token is whole: every letter of it would be another attempt.
  field.addEventListener('change', () => {
    for (const listener of listeners) listener();
  });
  onLanguage(draw);
}
