/**
 * An answer's text in the document: elements are made here, and texts are set as texts; nothing that an answer says
 * becomes markup. Drawn once a frame; only the block that is open is drawn anew.
 */

import { element } from '../notice.js';
import { oncePerFrame } from '../frame.js';
import { Blocks, pieces, splitControls } from './blocks.js';

const TAGS = { text: 'p', heading: 'h3', code: 'pre' };

export class TextView {
  #place;
  #blocks = new Blocks();
  #waiting = '';
  /** @type {Element | null} */
  #open = null;
  #draw = oncePerFrame(() => this.flush());

  /** @param {Element} place */
  constructor(place) {
    this.#place = place;
  }

  /** @param {string} text */
  push(text) {
    this.#waiting += text;
    this.#draw();
  }

  /** Draws what has come so far. */
  flush() {
    const closed = this.#blocks.push(this.#waiting);
    this.#waiting = '';
    this.#open?.remove();
    this.#place.append(...closed.map(built));
    const open = this.#blocks.open;
    this.#open = open && built(open);
    if (this.#open) this.#place.append(this.#open);
  }
}

/** @param {import('./blocks.js').Block} block */
function built({ kind, text }) {
  const made = element(TAGS[kind], '', '');
  // Which way a paragraph runs is its own affair, and nobody else's.
  made.dir = kind === 'code' ? 'ltr' : 'auto';
  if (kind === 'code') {
    made.tabIndex = 0; // so that a keyboard can scroll it
    setText(made.appendChild(element('code', '', '')), text);
    return made;
  }
  for (const piece of pieces(text)) {
    if (piece.kind === 'text') setText(made, piece.text);
    else setText(made.appendChild(element(piece.kind === 'code' ? 'code' : 'strong', '', '')), piece.text);
  }
  return made;
}

/**
 * @param {Element} place
 * @param {string} text
 */
function setText(place, text) {
  splitControls(text).forEach((part, index) => {
    if (index % 2 === 0) {
      if (part !== '') place.append(part);
      return;
    }
    const control = element('span', 'control', part);
    control.dataset.code = `U+${part.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    place.append(control);
  });
}
