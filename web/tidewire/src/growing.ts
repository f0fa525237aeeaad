/**
 * A text that grows by pieces, at a cost near its length. Engines keep every part of a sum of texts as an object of its
 * own, and a part that was cut from a text holds all of that text; `join` makes a new text of its own.
 */

/** Pieces that wait to be joined. Each may hold the text of a step (`Parser`), so this many times that at most. */
const PIECES = 256;

export class Growing {
  #text = '';
  #pieces: string[] = [];

  add(piece: string): void {
    if (piece && this.#pieces.push(piece) >= PIECES) this.toString();
  }

  toString(): string {
    this.#text += this.#pieces.join('');
    this.#pieces.length = 0;
    return this.#text;
  }

  /** The text, which begins anew. */
  take(): string {
    const text = this.toString();
    this.#text = '';
    return text;
  }
}
