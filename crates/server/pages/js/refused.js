/**
 * A stream that the server refuses, as a notice.
 */

import { t } from './i18n.js';

/** What a server answers that wants a token, or another one. */
const TOKEN_STATUS = new Set([401, 403]);

/** Would a token, or another one, help? @param {number} status */
export function wantsToken(status) {
  return TOKEN_STATUS.has(status);
}

/**
 * @param {{ status: number, detail: string }} closure
 * @param {import('./notice.js').Notice['action']} [action]
 * @returns {import('./notice.js').Notice}
 */
export function refusedNotice({ status, detail }, action) {
  const title = t(wantsToken(status) ? 'token.wanted' : 'refused.title');
  const line = t('refused.text', { status: String(status), detail });
  return { kind: 'refused', title, lines: [line], action };
}
