/**
 * An event stream from its bytes, cut into chunks anywhere (WHATWG HTML, 9.2.6). Bytes in, items out: no network, no
 * clock. The vectors of `crates/codec/vectors` are its specification; the Rust decoder is held to the same.
 *
 * What it keeps is bounded, in memory as in text: a line, the data, name and topics of an event, an id. An event over a
 * bound is skipped whole, up to its blank line, and reported once. Time is linear in the bytes, however they are cut.
 */

import { Growing } from './growing.js';

/** Bounds in bytes of the decoded text, so that U+FFFD for a broken byte counts three. */
export interface Limits {
  /** A line without its line end. Default: 16 MiB. */
  maxLine: number;
  /** The data of an event, its lines joined, with its name and topics (each 64 more than its text). Default: 16 MiB. */
  maxEvent: number;
  /** An event id, which must fit into a header one day. Default: 4 KiB. */
  maxId: number;
}

export type Limit = 'line' | 'event' | 'id';

/** An event as it came. */
export interface Message {
  /** As the stream named it; empty if it did not, which means `message`. */
  event: string;
  data: string;
  /** The id to resume after: this event's, or an earlier one's. */
  lastEventId: string;
  /** Its own id, if it has one. */
  id?: string | undefined;
  /** The reconnection time that stands in it, in milliseconds. */
  retry?: number | undefined;
  /** The topics it was published to, which Tidewire tells on `?show=topic`. */
  topics?: string[] | undefined;
}

export type Item = Message | { comment: string } | { retry: number } | { overlong: Limit };

/** What a topic counts beside its text, for the places that it takes. */
const TOPIC = 64;
/** Bytes that are decoded at a time: a text that is kept in pieces holds little more than them with each piece. */
const STEP = 4 << 10;

export class Parser {
  /** What a later connection gives as Last-Event-ID: the id of the last complete block that had one. */
  lastEventId: string;

  readonly #limits: Limits;
  /** Also drops a byte order mark at the very start. */
  readonly #decoder = new TextDecoder();
  #items: Item[] = [];
  /** The beginning of a line whose end has not come, and its bytes. */
  readonly #line = new Growing();
  #lineSize = 0;
  /** If it is data: how long its beginning is, without the value. */
  #head: number | undefined;
  /** The text before ended with CR: an LF that comes now belongs to it. */
  #afterCr = false;

  /** The block that is being read; each line of its data begins with LF. */
  #event = '';
  readonly #data = new Growing();
  #hasData = false;
  #id: string | undefined;
  #retry: number | undefined;
  #topics: string[] | undefined;
  /** The bytes of its name, and of its data and topics. */
  #eventSize = 0;
  #size = 0;
  /** It was over a limit: nothing of it counts any more. */
  #skipping = false;

  constructor(lastEventId = '', limits: Partial<Limits> = {}) {
    this.lastEventId = lastEventId;
    this.#limits = { maxLine: 16 << 20, maxEvent: 16 << 20, maxId: 4 << 10, ...limits };
  }

  /** What these bytes complete. */
  push(bytes: Uint8Array): Item[] {
    return [...this.read(bytes)];
  }

  /** The same, a step at a time: of a large chunk few items wait. All of it is to be taken, before the next one. */
  *read(bytes: Uint8Array): Generator<Item, void, undefined> {
    for (let at = 0; at < bytes.length; at += STEP) {
      this.#items = [];
      this.#take(this.#decoder.decode(bytes.subarray(at, at + STEP), { stream: true }));
      yield* this.#items;
    }
  }

  /**
   * The stream ends here. Its unfinished last event is dropped, as the specification has it, unless it is to be kept:
   * then it counts as if its blank line had come. Of a line without end only data counts: a cut id is a wrong one.
   */
  finish(keep = false): Item[] {
    const items: Item[] = (this.#items = []);
    this.#take(this.#decoder.decode());
    if (keep && !this.#skipping) {
      if (/^data(:|$)/.test(`${this.#line}`)) this.#endLine();
      if (!this.#skipping) this.#endBlock();
    }
    return items;
  }

  #take(text: string): void {
    let from = this.#afterCr && text[0] === '\n' ? 1 : 0;
    if (text) this.#afterCr = text.endsWith('\r');
    let cr = -1;
    let lf = -1;
    for (;;) {
      if (cr < from) cr = find(text, '\r', from);
      if (lf < from) lf = find(text, '\n', from);
      const end = Math.min(cr, lf);
      this.#append(text.slice(from, end));
      if (end === Infinity) break;
      this.#endLine();
      from = end + (lf === cr + 1 ? 2 : 1);
    }
  }

  #append(piece: string): void {
    if (this.#skipping) {
      // Only whether the line is blank is of interest.
      this.#lineSize ||= piece.length;
      return;
    }
    this.#line.add(piece);
    if (this.#lineSize < 6) this.#head = /^data: ?/.exec(this.#lineSize ? `${this.#line}` : piece)?.[0].length;
    this.#lineSize += utf8Size(piece);
    const { maxLine, maxEvent } = this.#limits;
    const head = this.#head;
    const overLine = this.#lineSize > maxLine;
    const room = maxEvent - this.#size - this.#eventSize - +this.#hasData;
    if (head !== undefined && this.#lineSize - head > room) {
      this.#skip(overLine && maxLine - head <= room ? 'line' : 'event');
    } else if (overLine) {
      this.#skip('line');
    }
  }

  #endLine(): void {
    const line = this.#line.take();
    if (this.#lineSize === 0) {
      this.#endBlock();
    } else if (!this.#skipping) {
      const colon = line.indexOf(':');
      if (colon < 0) this.#field(line, '');
      else this.#field(line.slice(0, colon), line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1)));
    }
    this.#lineSize = 0;
  }

  /** One line; without a name it is a comment. */
  #field(name: string, value: string): void {
    if (name === 'data') {
      this.#size += utf8Size(value) + +this.#hasData;
      this.#hasData = true;
      this.#data.add('\n');
      this.#data.add(value);
    } else if (name === 'event') {
      this.#event = copy(value);
      this.#eventSize = utf8Size(value);
    } else if (name === 'id') {
      if (utf8Size(value) > this.#limits.maxId) this.#skip('id');
      else if (!value.includes('\0')) this.#id = copy(value);
    } else if (name === 'retry') {
      const retry = /^[0-9]+$/.test(value) ? +value : NaN;
      // As many as 64 bits hold, like other readers; who waits has bounds of his own.
      if (retry <= 2 ** 64) this.#items.push({ retry: (this.#retry = retry) });
    } else if (name === 'topic') {
      this.#size += utf8Size(value) + TOPIC;
      (this.#topics ??= []).push(copy(value));
    } else if (name === '') {
      this.#items.push({ comment: copy(value) });
    }
    if (this.#size + this.#eventSize > this.#limits.maxEvent) this.#skip('event');
  }

  /** At a blank line: the block's id counts, and with data it is an event. */
  #endBlock(): void {
    const id = this.#id;
    if (id !== undefined) this.lastEventId = id;
    if (this.#hasData) {
      this.#items.push({
        event: this.#event,
        data: this.#data.take().slice(1),
        lastEventId: this.lastEventId,
        id,
        retry: this.#retry,
        topics: this.#topics,
      });
    }
    this.#forget();
    this.#skipping = false;
  }

  #skip(overlong: Limit): void {
    if (this.#skipping) return;
    this.#forget();
    this.#skipping = true;
    this.#line.take();
    this.#items.push({ overlong });
  }

  #forget(): void {
    this.#event = '';
    this.#data.take();
    this.#hasData = false;
    this.#id = this.#retry = this.#topics = undefined;
    this.#eventSize = this.#size = 0;
  }
}

/** Where it is; never at all, if not. */
function find(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? Infinity : at;
}

/** A text of its own: one that is cut from another holds all of that. */
function copy(text: string): string {
  return [' ', text].join('').slice(1);
}

/** The bytes that a text takes as UTF-8. */
function utf8Size(text: string): number {
  let size = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    // A surrogate is half of four bytes.
    if (unit > 0x7f) size += unit > 0x7ff && (unit & 0xf800) !== 0xd800 ? 2 : 1;
  }
  return size;
}
