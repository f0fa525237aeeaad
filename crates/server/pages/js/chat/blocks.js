/**
 * A text that is still being typed, as blocks: paragraphs, headings, fenced code. Text in, blocks out: no document.
 *
 * This is the little of Markdown that a chat cannot do without. HTML, links and images are text like any other, so there
 * is nothing to be made safe. A block that is closed does not change any more; all text that came is in exactly one block,
 * but for the lines that only separate (blank lines, fences, the marks of a heading).
 *
 * Bound: a block longer than MAX is closed and gone on with in another, so that drawing the open one is always quick.
 */

/** @typedef {{ kind: 'text' | 'heading' | 'code', text: string }} Block */

const MAX = 8_000;
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}#{1,6} +(.*)$/;

export class Blocks {
  /** The line whose end has not come. */
  #line = '';
  /** @type {Block | null} */
  #block = null;
  /** What closes the code that is open; empty outside of code. */
  #fence = '';
  /** The open block has no line yet. */
  #isFresh = true;
  /** @type {Block[]} */
  #closed = [];

  /**
   * @param {string} text
   * @returns {Block[]} the blocks that it has closed
   */
  push(text) {
    this.#line += text;
    for (;;) {
      const end = this.#line.indexOf('\n');
      if (end < 0) break;
      const line = this.#line.slice(0, end);
      this.#line = this.#line.slice(end + 1);
      this.#take(line.replace(/\r$/, ''));
    }
    if (this.#line.length > MAX) {
      this.#append(this.#line);
      this.#line = '';
      this.#close();
    }
    const closed = this.#closed;
    this.#closed = [];
    return closed;
  }

  /** What is open, as far as it has come. @returns {Block | null} */
  get open() {
    if (this.#line === '') return this.#block;
    const { kind, text } = this.#block ?? this.#empty();
    return { kind, text: this.#isFresh ? this.#line : `${text}\n${this.#line}` };
  }

  /** @param {string} line */
  #take(line) {
    const [, fence = '', info = ''] = FENCE.exec(line) ?? [];
    if (this.#fence !== '') {
      if (fence.startsWith(this.#fence) && info.trim() === '') this.#endOfCode();
      else this.#append(line);
      return;
    }
    const [, heading] = HEADING.exec(line) ?? [];
    if (fence !== '' && !(fence[0] === '`' && info.includes('`'))) {
      this.#close();
      this.#fence = fence;
      this.#block = this.#empty();
    } else if (heading !== undefined) {
      this.#close();
      this.#closed.push({ kind: 'heading', text: heading });
    } else if (line.trim() === '') {
      this.#close();
    } else {
      this.#append(line);
    }
  }

  /** @param {string} line */
  #append(line) {
    const block = (this.#block ??= this.#empty());
    block.text += this.#isFresh ? line : `\n${line}`;
    this.#isFresh = false;
    if (block.text.length > MAX) this.#close();
  }

  #endOfCode() {
    this.#close();
    this.#fence = '';
  }

  #close() {
    if (this.#block) this.#closed.push(this.#block);
    this.#block = null;
    this.#isFresh = true;
  }

  /** @returns {Block} */
  #empty() {
    return { kind: this.#fence === '' ? 'text' : 'code', text: '' };
  }
}

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g;

/**
 * A paragraph's pieces.
 * @param {string} text
 * @returns {{ kind: 'text' | 'code' | 'bold', text: string }[]}
 */
export function pieces(text) {
  /** @type {{ kind: 'text' | 'code' | 'bold', text: string }[]} */
  const found = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) found.push({ kind: 'text', text: text.slice(from, match.index) });
    const [whole, code, bold] = match;
    found.push(code === undefined ? { kind: 'bold', text: bold } : { kind: 'code', text: code });
    from = match.index + whole.length;
  }
  if (from < text.length) found.push({ kind: 'text', text: text.slice(from) });
  return found;
}

/** Characters that turn the direction of what follows, and controls: they are not obeyed, but shown. */
const CONTROLS = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069])/;

/**
 * Texts, with the controls between them: every second one is a control.
 * @param {string} text
 */
export function splitControls(text) {
  return text.split(CONTROLS);
}
