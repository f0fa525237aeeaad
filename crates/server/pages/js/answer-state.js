/**
 * What this tab has read of an answer, kept in sessionStorage: a reload paints it at once and asks
 * the server for what comes after `lastEventId`.
 *
 * Text and id are saved together, in the same turn in which the event arrived. So the pair always
 * fits, at whatever moment the page is reloaded.
 */

/** @typedef {import('./gap.js').Gap} Gap */
/** A place in the text where the reading was interrupted. `at` counts UTF-16 units. */
/** @typedef {{ at: number, kind: 'reload' | 'reconnect' | 'gap' }} Mark */
/**
 * @typedef {object} AnswerState
 * @property {string} topic
 * @property {string} text
 * @property {string} lastEventId empty until the first event
 * @property {Mark[]} marks in order of `at`
 * @property {Gap | null} gap the last one that the server reported
 * @property {'typing' | 'done' | 'lost'} fate
 * @property {number | null} expected characters that the server typed, known at the end
 */

const STORAGE_KEY = 'tidewire.answer';
/** Interruptions are marked up to here; the text itself goes on without marks. */
const MAX_MARKS = 200;

/**
 * @param {string} topic
 * @returns {AnswerState}
 */
export function freshState(topic) {
  return { topic, text: '', lastEventId: '', marks: [], gap: null, fate: 'typing', expected: null };
}

/**
 * What this tab has of the topic; a fresh state if it has nothing.
 * @param {string} topic
 * @returns {AnswerState}
 */
export function loadState(topic) {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null');
    if (stored?.topic === topic) return { ...freshState(topic), ...stored };
  } catch {
    // No storage or not ours: read the answer from its beginning.
  }
  return freshState(topic);
}

/** @param {AnswerState} state */
export function saveState(state) {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(state));
  } catch {
    // Storage is off or full: what was saved before no longer fits the text, or there is nothing.
    // Without a saved state a reload reads the answer from its beginning, which is right too.
    forgetState();
  }
}

function forgetState() {
  try {
    sessionStorage.removeItem(STORAGE_KEY);
  } catch {
    // Storage is off.
  }
}

/**
 * Notes an interruption at the end of the text so far.
 * @param {AnswerState} state
 * @param {Mark['kind']} kind
 */
export function mark(state, kind) {
  const at = state.text.length;
  const last = state.marks.at(-1);
  const known = last?.at === at && last.kind === kind;
  if (at > 0 && !known && state.marks.length < MAX_MARKS) state.marks.push({ at, kind });
}

/** Characters as a reader counts them at the server: code points. @param {AnswerState} state */
export function countCharacters(state) {
  return [...state.text].length;
}
