/** One request, as it goes out before each attempt, and whether it may go out again. */

import { StreamError } from './error.js';
import type { StreamOptions } from './options.js';
import { isSafe } from './policy.js';
import { ACCEPT, CONTENT_TYPE, EVENT_STREAM, IDEMPOTENCY_KEY, LAST_EVENT_ID, PRIME, TIDEWIRE_RESUME, TIDEWIRE_STREAM } from './protocol.js';

export type Input = string | URL | Request;

/** What goes to `fetch`. */
export interface Sent {
  input: string | Request;
  init: RequestInit;
}

/** What is known of the page that asks, if there is one. */
export interface Page {
  location?: { origin: string } | undefined;
  navigator?: { onLine?: boolean | undefined } | undefined;
}

export class Question {
  /** A server has shown that it is a Tidewire: only an end finishes its bodies, and it can be asked where we were. */
  isTidewire = false;
  readonly #input: Input;
  readonly #options: StreamOptions;
  #method: string;
  #url: string;
  /** The same, resolved: as it was asked. */
  #asked = '';
  /** The same, with the parameters of this attempt. */
  #to = '';
  #page: Page = {};
  /** Where an app answers a scheme of its own, there is somebody to ask again. */
  #hasAnswered = false;
  /** The answer has a name of its own, and is read by it from now on: the question is not asked again. */
  #isNamed = false;
  /** It only reads, or the caller says that it may be sent again. */
  readonly #isSafe: boolean;
  /** It has a key by which its server knows it again: sending it again does what sending it once does. */
  #isKeyed = false;
  /** This attempt was made without the cursor, as the server does not let a page of another origin send it. */
  isBare = false;
  /** A request with a cursor was answered; so many were not, in a row. */
  #takesCursor = false;
  #unanswered = 0;
  /** The body is a stream, which has been sent. */
  #isSpent = false;
  /** The answer has a name that cannot be read here: without a cursor, to ask again would begin another one. */
  #needsCursor = false;

  constructor(input: Input, options: StreamOptions) {
    const request = input instanceof Request ? input : undefined;
    const { method, body } = options;
    this.#input = input;
    this.#options = options;
    this.#url = request?.url ?? String(input);
    this.#method = (method ?? request?.method ?? (body == null ? 'GET' : 'POST')).toUpperCase();
    this.#isSafe = !!options.repeat || isSafe(this.#method);
  }

  /** Whether there is something to send. */
  get canAsk(): boolean {
    return this.#isNamed || !this.#isSpent;
  }

  /** Whether it may go out again, with this cursor. */
  isRepeatable(cursor: string): boolean {
    return this.canAsk && (this.#isSafe || this.#isKeyed || (this.isTidewire && !(this.#needsCursor && !cursor)));
  }

  /** Whether the server can be asked for the events after the cursor. Without a cursor it would begin the answer anew. */
  goesOn(cursor: string): boolean {
    return this.isTidewire && !!cursor;
  }

  /** Whether a body that ended in good order is all that there is. Other servers answer a key with the whole answer again. */
  isWhole(cursor: string): boolean {
    return !this.isRepeatable(cursor) || !(this.#isSafe || this.goesOn(cursor));
  }

  /**
   * What is sent, with the headers that the caller gives for it.
   * @throws `StreamError` it is no request
   */
  ask(cursor: string, own: HeadersInit | undefined, page: Page): Sent {
    const { withCredentials, credentials, prime = this.isTidewire } = this.#options;
    const request = this.#input instanceof Request ? this.#input : undefined;
    let url = this.#url;
    if (prime && !cursor) url = url.replace(/#.*/s, '') + (url.includes('?') ? '&' : '?') + `${PRIME}=1`;
    this.#page = page;
    this.#to = url;
    try {
      if (!this.canAsk) throw new TypeError('its body is a stream, which can be sent only once');
      const headers = new Headers(request?.headers);
      new Headers(own).forEach((value, name) => headers.set(name, value));
      if (!headers.has(ACCEPT)) headers.set(ACCEPT, EVENT_STREAM);
      this.isBare = !!cursor && this.#mayBeBare();
      if (cursor && !this.isBare) headers.set(LAST_EVENT_ID, inHeader(cursor));
      if (this.#isNamed) headers.delete(CONTENT_TYPE);
      this.#isKeyed ||= headers.has(IDEMPOTENCY_KEY);
      const init: RequestInit = {
        ...(this.#options as RequestInit),
        method: this.#method,
        headers,
        credentials: credentials ?? (withCredentials ? 'include' : (request?.credentials ?? 'same-origin')),
        cache: 'no-store',
        signal: null,
      };
      if (this.#isNamed) delete init.body;
      // As `fetch` wants it said.
      if (isStream(init.body)) Object.assign(init, { duplex: 'half' });
      // What is no request fails here, so that what fails later is the network.
      this.#asked = new Request(url, { ...init, body: init.body == null ? null : '' }).url;
      const from = this.#isNamed ? undefined : request?.clone();
      this.#isSpent = isStream(init.body);
      return { input: from ? (url === this.#url ? from : new Request(url, from)) : url, init };
    } catch (error) {
      throw new StreamError('request', `no request: ${(error as Error).message}`, undefined, error);
    }
  }

  /** An answer came. */
  answered(cursor: string): void {
    this.#hasAnswered = true;
    this.#takesCursor ||= !!cursor && !this.isBare;
  }

  /** It was given up before an answer came. */
  lost(): void {
    if (this.isBare) this.#unanswered = 0;
  }

  /** No answer came: why, as far as that is known. */
  unanswered(error: unknown, cursor: string): StreamError {
    this.#unanswered = this.isBare ? 0 : this.#unanswered + +!!cursor;
    const { protocol } = new URL(this.#asked);
    if (!this.#hasAnswered && !/^https?:$/.test(protocol)) {
      return new StreamError('request', `no request: "${protocol}" cannot be asked; give the address with https: or http:`, undefined, error);
    }
    return new StreamError('network', `no answer from ${this.#to}: ${reasonOf(error, this.#asked, this.#page.location?.origin)}`, undefined, error);
  }

  /**
   * Browsers ask a server of another origin whether it allows the header with the cursor (their own EventSource does not), and if
   * it does not answer that, nothing is sent at all: a page cannot tell that from a server that is gone. So once, after two
   * attempts, and never where a cursor has come through.
   */
  #mayBeBare(): boolean {
    if (this.#unanswered < 2 || this.#method !== 'GET' || this.isTidewire || this.#takesCursor) return false;
    const { location, navigator } = this.#page;
    return !!location?.origin && new URL(this.#asked).origin !== location.origin && navigator?.onLine !== false;
  }

  /** What an opened answer says of the next attempt. */
  learn({ headers, url }: Response): void {
    const name = headers.get(TIDEWIRE_STREAM);
    this.isTidewire ||= name !== null || headers.has(TIDEWIRE_RESUME);
    if (this.#method === 'GET' || name === null) return;
    const place = within(new URL(this.#asked).origin, url || this.#asked, name);
    if (place) {
      this.#url = place;
      this.#method = 'GET';
      this.#isNamed = true;
    }
    this.#needsCursor = !place;
  }
}

/** The address of this name, if both the one who tells it and itself are of the origin: the caller's headers go there. */
function within(origin: string, base: string, name: string): string | undefined {
  try {
    const place = new URL(name, base);
    if (/^http/.test(origin) && place.origin === origin && new URL(base).origin === origin) return place.href;
  } catch {}
  return undefined;
}

/** What is gone once it is read. */
function isStream(body: unknown): boolean {
  return typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body);
}

/** Why `fetch` failed, as far as it tells. */
function reasonOf(error: unknown, url: string, own: string | undefined): string {
  let { message = String(error), cause } = Object(error) as Error;
  for (; cause; cause = (cause as Error).cause) message = (cause as Error).message || (cause as { code?: string }).code || message;
  // Browsers tell scripts nothing.
  if (!own || message !== (error as Error)?.message) return message;
  return `the network${new URL(url).origin === own ? ' or the server' : `, the server, or CORS, which has to allow ${own} and the request's headers`} (${message})`;
}

/** Headers are bytes, which `fetch` takes as one character each; an id's bytes are UTF-8, as browsers send it. */
function inHeader(id: string): string {
  if (takesText()) return id;
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
}

/** In Workers (workerd), and nowhere else, headers are texts, which are sent as UTF-8. */
function takesText(): boolean {
  try {
    return !!new Headers([['a', '\u0100']]);
  } catch {
    return false;
  }
}
