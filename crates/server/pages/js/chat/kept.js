/**
 * The answers of this tab, over reloads: their names, never their texts, which the server has.
 *
 * Kept in sessionStorage. A name is a capability: it stands in no address that is sent, and in no log.
 * Bound: the last MAX.
 */

const STORAGE_KEY = 'tidewire.chat';
const MAX = 20;

/**
 * @typedef {object} Kept
 * @property {string} key the question's Idempotency-Key: asked again, it is the same question
 * @property {string} stream the answer's name; empty until it is known
 * @property {string} prompt empty if the answer is somebody else's
 * @property {string} model
 * @property {number | null} firstMs time to the first token
 */

/** @returns {Kept[]} the oldest first */
export function readKept() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((entry) => typeof entry?.prompt === 'string') : [];
  } catch {
    return []; // storage can be switched off
  }
}

/** @param {Kept[]} kept */
export function writeKept(kept) {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(kept.slice(-MAX)));
  } catch {
    // As above: answers then last as long as the page.
  }
}

/** 128 random bits. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
