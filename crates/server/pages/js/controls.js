/**
 * Characters that a page obeys instead of showing them: C0 but tab and LF, DEL and C1, what reorders text
 * (bidirectional controls), and what cannot be seen. The same as on a terminal (`crates/server/src/cmd/visible.rs`).
 */

export const CONTROL =
  /([\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}])/u;

const ALL = new RegExp(CONTROL.source, 'gu');

/** How a control is written. @param {string} control */
export function escaped(control) {
  const code = (control.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}

/** A text with its controls written out. @param {string} text */
export function shown(text) {
  return text.replace(ALL, escaped);
}
