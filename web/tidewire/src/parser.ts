/**
 * An event stream from its bytes, cut into chunks anywhere (WHATWG HTML, 9.2.6). Bytes in, items out: no network, no
 * clock. The vectors of `crates/codec/vectors` are its specification; the Rust decoder is held to the same.
 *
 * What it keeps is bounded: a line, the data and name of an event, an id. An event over a bound is skipped whole, up
 * to its blank line, and reported once.
 */

/** Bounds in bytes of the decoded text, so that U+FFFD for a broken byte counts three. */
export interface Limits {
  /** A line without its line end. Default: 16 MiB. */
  maxLine: number;
  /** The data of an event, its lines joined, together with its name and topics. Default: 16 MiB. */
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

const LINE_END = /\r\n?|\n/g;

export class Parser {
  /** What a later connection gives as Last-Event-ID: the id of the last complete block that had one. */
  lastEventId: string;

  readonly #limits: Limits;
  /** Also drops a byte order mark at the very start. */
  readonly #decoder = new TextDecoder();
  #items: Item[] = [];
  /** The beginning of a line whose end has not come, and its bytes. */
  #line = '';
  #lineSize = 0;
  /** If it is data: how long its beginning is, without the value. */
  #head: number | undefined;
  /** The text before ended with CR: an LF that comes now belongs to it. */
  #afterCr = false;

  /** The block that is being read. */
  #event = '';
  #data: string | undefined;
  #id: string | undefined;
  #retry: number | undefined;
  #topics: string[] | undefined;
  /** The bytes of its data and topics. */
  #size = 0;
  /** It was over a limit: nothing of it counts any more. */
  #skipping = false;

  constructor(lastEventId = '', limits: Partial<Limits> = {}) {
    this.lastEventId = lastEventId;
    this.#limits = { maxLine: 16 << 20, maxEvent: 16 << 20, maxId: 4 << 10, ...limits };
  }

  /** What these bytes complete. */
  push(bytes: Uint8Array): Item[] {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /**
   * The stream ends here. Its unfinished last event is dropped, as the specification has it, unless it is to be kept:
   * then it counts as if its blank line had come. Of a line without end only data counts: a cut id is a wrong one.
   */
  finish(keep = false): Item[] {
    const items = this.#take(this.#decoder.decode());
    if (keep && !this.#skipping) {
      if (/^data(:|$)/.test(this.#line)) this.#endLine();
      if (!this.#skipping) this.#endBlock();
    }
    return items;
  }

  #take(text: string): Item[] {
    const items: Item[] = (this.#items = []);
    let from = this.#afterCr && text[0] === '\n' ? 1 : 0;
    if (text) this.#afterCr = text.endsWith('\r');
    LINE_END.lastIndex = from;
    for (let end; (end = LINE_END.exec(text)); from = LINE_END.lastIndex) {
      this.#append(text.slice(from, end.index));
      this.#endLine();
    }
    this.#append(text.slice(from));
    return items;
  }

  #append(piece: string): void {
    if (this.#skipping) {
      // Only whether the line is blank is of interest.
      this.#line ||= piece && '-';
      return;
    }
    this.#line += piece;
    // Only while it is short: to look into a line of many pieces copies it.
    if (this.#lineSize < 6) this.#head = /^data: ?/.exec(this.#line)?.[0].length;
    this.#lineSize += utf8Size(piece);
    const { maxLine, maxEvent } = this.#limits;
    const head = this.#head;
    const overLine = this.#lineSize > maxLine;
    const room = maxEvent - this.#size - utf8Size(this.#event) - (this.#data === undefined ? 0 : 1);
    if (head !== undefined && this.#lineSize - head > room) {
      this.#skip(overLine && maxLine - head <= room ? 'line' : 'event');
    } else if (overLine) {
      this.#skip('line');
    }
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = '';
    this.#lineSize = 0;
    if (line === '') {
      this.#endBlock();
    } else if (!this.#skipping) {
      const colon = line.indexOf(':');
      if (colon < 0) this.#field(line, '');
      else this.#field(line.slice(0, colon), line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1)));
    }
  }

  /** One line; without a name it is a comment. */
  #field(name: string, value: string): void {
    if (name === 'data') {
      this.#size += utf8Size(value) + (this.#data === undefined ? 0 : 1);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    } else if (name === 'event') {
      this.#event = value;
    } else if (name === 'id') {
      if (utf8Size(value) > this.#limits.maxId) this.#skip('id');
      else if (!value.includes('\0')) this.#id = value;
    } else if (name === 'retry') {
      const retry = /^[0-9]+$/.test(value) ? +value : NaN;
      if (Number.isSafeInteger(retry)) this.#items.push({ retry: (this.#retry = retry) });
    } else if (name === 'topic') {
      this.#size += utf8Size(value) + 1;
      (this.#topics ??= []).push(value);
    } else if (name === '') {
      this.#items.push({ comment: value });
    }
    if (this.#size + utf8Size(this.#event) > this.#limits.maxEvent) this.#skip('event');
  }

  /** At a blank line: the block's id counts, and with data it is an event. */
  #endBlock(): void {
    const id = this.#id;
    if (id !== undefined) this.lastEventId = id;
    if (this.#data !== undefined) {
      this.#items.push({
        event: this.#event,
        data: this.#data,
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
    this.#line &&= '-';
    this.#items.push({ overlong });
  }

  #forget(): void {
    this.#event = '';
    this.#data = this.#id = this.#retry = this.#topics = undefined;
    this.#size = 0;
  }
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
