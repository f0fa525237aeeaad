/**
 * What is told of a stream that is read, in numbers: how often it came back, its bytes, its gaps, and, while it is away,
 * why.
 */

import { t } from './i18n.js';
import { causeText } from './journal-view.js';
import { setText } from './notice.js';
import { bytes } from './units.js';

export class StreamFacts {
  #reconnects;
  #bytes;
  #gaps;
  #cause;

  /** @param {(name: string) => HTMLElement} place where each is shown */
  constructor(place) {
    this.#reconnects = place('reconnects');
    this.#bytes = place('bytes');
    this.#gaps = place('gaps');
    this.#cause = place('cause');
  }

  /** @param {import('./watched.js').Watched | null} stream */
  draw(stream) {
    const none = t('fact.none');
    setText(this.#reconnects, stream ? String(stream.reconnects) : none);
    setText(this.#bytes, bytesText(stream));
    setText(this.#gaps, stream ? String(stream.gaps) : none);
    const why = stream?.cause ? t('fact.cause', { cause: causeText(stream.cause) }) : '';
    setText(this.#cause, why);
    this.#cause.hidden = why === '';
  }
}

/** @param {import('./watched.js').Watched | null} stream */
function bytesText(stream) {
  if (!stream) return t('fact.none');
  return stream.bytes === null ? t('fact.untold') : bytes(stream.bytes);
}
