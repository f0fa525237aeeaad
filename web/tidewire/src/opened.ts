/** An open stream: its bytes as actions, whether it is silent for too long, and what its end means. No clock of its own. */

import type { Action } from './action.js';
import { StreamError } from './error.js';
import type { StreamOptions } from './options.js';
import { type Item, type Message, Parser } from './parser.js';
import { DONE, END, GAP, TIDEWIRE_HEARTBEAT } from './protocol.js';

/** Where a subscription is, and how long the stream wants it to wait. */
export interface Place {
  /** The id as of what was handed out. */
  cursor: string;
  retryMs: number;
}

/** Heartbeats that may be missed before a connection is taken for dead; half of them once there is reason to doubt it. */
const MISSED = 3;
/** A body that is an error as JSON, and what is read of a refusal. */
export const EXCERPT_BYTES = 16 << 10;

/** What servers send last: OpenAI's `[DONE]`, or an event of this name. */
export function isEndEvent({ event, data }: Message): boolean {
  return event === END || data.trim() === DONE;
}

export class Opened {
  /** A new event came, a gap, or another id. */
  moved = false;
  /** A new event came. */
  hasEvent = false;
  /** A `retry` came after the last event. */
  endsWithRetry = false;
  /** Not one byte came. */
  isSilent = true;
  /** The last event says that it is the last. */
  isEnd = false;
  /** All of the body, as long as it may be bare JSON. */
  json: string | undefined;

  readonly #response: Response;
  readonly #place: Place;
  readonly #end: StreamOptions['end'];
  readonly #parser: Parser;
  readonly #decoder = new TextDecoder();
  #items: Iterator<Item> | undefined;
  /** It was handed out, and may be the last. */
  #last: Message | undefined;
  readonly #idleMs: number;
  #heardAt: number;
  /** Since when bytes are waited for: while the caller is busy, what has come is not heard. */
  #readAt: number | undefined;
  #bytes = 0;

  constructor(response: Response, place: Place, { limits, idleTimeout, end = isEndEvent }: StreamOptions, mayBeJson: boolean, now: number) {
    this.#response = response;
    this.#place = place;
    this.#end = end;
    this.#parser = new Parser(place.cursor, limits);
    this.#idleMs = idleTimeout ?? 1000 * MISSED * +(response.headers.get(TIDEWIRE_HEARTBEAT) ?? 0);
    this.#heardAt = now;
    if (mayBeJson) this.json = '';
  }

  poll(now: number): Action {
    if (this.#bytes) {
      const count = this.#bytes;
      this.#bytes = 0;
      return { do: 'bytes', count };
    }
    for (let next; (next = this.#items?.next()) && !next.done; ) {
      const action = this.#see(next.value);
      if (action) return action;
    }
    const place = this.#place;
    const cursor = this.#parser.lastEventId;
    if (place.cursor !== cursor) {
      this.moved = true;
      place.cursor = cursor;
      return { do: 'moved', cursor };
    }
    this.#readAt ??= now;
    // A caller that was busy may have let bytes wait.
    const until = this.#idleMs > 0 ? Math.max(this.#heardAt + this.#idleMs, this.#readAt + this.#idleMs / 10) : Infinity;
    return { do: 'read', response: this.#response, until };
  }

  bytes(bytes: Uint8Array, now: number): void {
    this.#heardAt = now;
    this.#readAt = undefined;
    this.isSilent = false;
    this.#bytes = bytes.length;
    this.#items = this.#parser.read(bytes);
    if (this.json === undefined) return;
    this.json += this.#decoder.decode(bytes, { stream: true });
    if (this.json.length > EXCERPT_BYTES || !/^\s*([[{]|$)/.test(this.json)) this.json = undefined;
  }

  #see(item: Item): Action | undefined {
    if ('comment' in item) return { do: 'comment', text: item.comment };
    const place = this.#place;
    if ('retry' in item && !('data' in item)) {
      place.retryMs = item.retry!;
      this.endsWithRetry = true;
      return undefined;
    }
    this.json = undefined;
    const message = 'data' in item ? item : gap({ reason: 'overlong', limit: (item as { overlong: string }).overlong, resumed_after: place.cursor });
    const isGap = message.event === GAP;
    const isNew = message.id === undefined || message.lastEventId !== place.cursor;
    this.moved ||= isNew || isGap;
    this.hasEvent ||= isNew && !isGap;
    this.endsWithRetry = false;
    place.cursor = message.lastEventId;
    this.#last = message;
    return { do: 'message', message };
  }

  /** The message was taken: the caller's word for whether it is the last one may go by what that made of it. */
  given(): void {
    const end = this.#end;
    if (this.#last) this.isEnd = !!end && (end === 'eof' ? isEndEvent : end)(this.#last);
  }

  /** Why it is dead: nothing came for this part of the time. */
  silence(now: number, part = 1): StreamError | undefined {
    const silent = now - this.#heardAt;
    if (this.#readAt === undefined || !(this.#idleMs > 0) || silent < this.#idleMs * part) return undefined;
    return new StreamError('idle', `nothing came for ${(silent / 1000).toFixed(1)} s`);
  }
}

/** A gap that is found here. */
export function gap(why: { reason: string; limit?: string; requested?: string; resumed_after: string }): Message {
  return { event: GAP, data: JSON.stringify(why), lastEventId: why.resumed_after };
}
