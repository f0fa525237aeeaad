/**
 * An event stream from its bytes, cut into chunks anywhere, as the HTML standard reads it
 * ("Interpreting an event stream"). Bytes in, calls out: no network, no clock.
 *
 * Beyond what EventSource hands out, it tells comments, `retry`, and the field `topic` that Tidewire
 * adds to an event on `show=topic`.
 */

/** @typedef {{ type: string, id: string, data: string, topics: string[] }} StreamEvent */
/**
 * @typedef {object} Handlers
 * @property {(event: StreamEvent) => void} onEvent
 * @property {(text: string) => void} [onComment]
 * @property {(milliseconds: number) => void} [onRetry]
 */

const LINE_END = /\r\n?|\n/g;
const DIGITS = /^[0-9]+$/;
/** Twice what the server can be told to take as one event, in UTF-16 units. */
const MAX_MESSAGE = 128 * 1024 * 1024;

export class EventStreamParser {
  /** What the next connection gives as Last-Event-ID. */
  lastEventId;

  #handlers;
  #maxMessage;
  /** Also drops a byte order mark at the very start. */
  #decoder = new TextDecoder();
  /** The beginning of a line whose end has not come. */
  #unfinished = '';
  /** The text before ended with CR: an LF that comes now belongs to it. */
  #afterCr = false;

  /** The id of the message that is being read; it counts once the message is complete. */
  #id;
  #type = '';
  /** @type {string[]} */
  #data = [];
  /** @type {string[]} */
  #topics = [];
  #size = 0;

  /**
   * @param {Handlers} handlers
   * @param {string} [lastEventId] of the connection before
   * @param {number} [maxMessage]
   */
  constructor(handlers, lastEventId = '', maxMessage = MAX_MESSAGE) {
    this.#handlers = handlers;
    this.#maxMessage = maxMessage;
    this.#id = lastEventId;
    this.lastEventId = lastEventId;
  }

  /**
   * @param {Uint8Array} bytes
   * @throws {RangeError} a message is longer than this parser keeps; no more can be read
   */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return;
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = text.endsWith('\r');
    let from = 0;
    for (const end of text.matchAll(LINE_END)) {
      this.#line(this.#unfinished + text.slice(from, end.index));
      this.#unfinished = '';
      from = end.index + end[0].length;
    }
    this.#unfinished += text.slice(from);
    this.#grow(0);
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') {
      this.#complete();
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    this.#field(name, value);
  }

  /**
   * @param {string} name empty: a comment
   * @param {string} value
   */
  #field(name, value) {
    if (name === 'data') {
      this.#data.push(value);
      this.#grow(value.length + 1);
    } else if (name === 'event') {
      this.#type = value;
    } else if (name === 'id') {
      if (!value.includes('\0')) this.#id = value;
    } else if (name === 'retry') {
      const milliseconds = DIGITS.test(value) ? Number(value) : NaN;
      if (Number.isSafeInteger(milliseconds)) this.#handlers.onRetry?.(milliseconds);
    } else if (name === 'topic') {
      this.#topics.push(value);
      this.#grow(value.length + 1);
    } else if (name === '') {
      this.#handlers.onComment?.(value);
    }
  }

  /** A blank line: the message counts, and is an event if it has data. */
  #complete() {
    this.lastEventId = this.#id;
    const type = this.#type || 'message';
    const data = this.#data;
    const topics = this.#topics;
    this.#type = '';
    this.#data = [];
    this.#topics = [];
    this.#size = 0;
    if (data.length === 0) return;
    this.#handlers.onEvent({ type, id: this.lastEventId, data: data.join('\n'), topics });
  }

  /** @param {number} added */
  #grow(added) {
    this.#size += added;
    if (this.#size + this.#unfinished.length > this.#maxMessage) {
      throw new RangeError(`a message of more than ${this.#maxMessage} characters`);
    }
  }
}
