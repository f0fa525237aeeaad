/**
 * `tidewire.gap`: the server's word that events are gone, and what it means for the reader.
 */

import { t } from './i18n.js';

export { GAP as GAP_EVENT, gapOf as parseGap } from './client.js';

/** @typedef {import('../../../../web/tidewire/src/index.js').Gap} Gap */

const KNOWN_REASONS = new Set(['expired', 'unknown', 'reset', 'lagged', 'damaged', 'overlong']);
/**
 * After these the server could not place our cursor, so what follows may be anything, also what we
 * have already read. A text must not be continued with it.
 */
const POSITION_LOST = new Set(['unknown', 'reset']);

/** Does the server know where we were? @param {Gap} gap */
export function losesPosition(gap) {
  return POSITION_LOST.has(gap.reason) || !KNOWN_REASONS.has(gap.reason);
}

/** What was lost, and why. @param {Gap} gap */
export function explainGap(gap) {
  if (KNOWN_REASONS.has(gap.reason)) return t(`gap.${gap.reason}`);
  return t('gap.other', { reason: gap.reason });
}

/** Where the reader was and where the stream goes on. @param {Gap} gap */
export function gapPosition(gap) {
  return t('gap.position', { requested: gap.requested || '?', resumed: gap.resumedAfter || '?' });
}

/** The gap as a notice. @param {Gap} gap @returns {import('./notice.js').Notice} */
export function gapNotice(gap) {
  return { kind: 'gap', title: t('gap.title'), lines: [explainGap(gap)], wire: gapPosition(gap) };
}
