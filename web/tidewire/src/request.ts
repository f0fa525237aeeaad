/** One request, as it goes out before each attempt, and whether it may go out again. */

import { StreamError } from './error.js';
import type { StreamOptions } from './options.js';

export type Input = string | URL | Request;

export class Question {
  /** A server has shown that it is a Tidewire: only an end finishes its bodies, and it can be asked where we were. */
  isTidewire = false;
  readonly #input: Input;
  readonly #options: StreamOptions;
  #method: string;
  #url: string;
  /** The answer has a name of its own, and is read by it from now on: the question is not asked again. */
  #isNamed = false;
  /** Sending it again does what sending it once does: by its method, by its key, or because the caller says so. */
  #isSafe: boolean;

  constructor(input: Input, options: StreamOptions) {
    const request = input instanceof Request ? input : undefined;
    const { method, body } = options;
    this.#input = input;
    this.#options = options;
    this.#url = request?.url ?? String(input);
    this.#method = (method ?? request?.method ?? (body == null ? 'GET' : 'POST')).toUpperCase();
    this.#isSafe = !!options.repeat || /^(GET|HEAD|QUERY)$/.test(this.#method);
  }

  get isRepeatable(): boolean {
    return this.#isSafe || this.isTidewire;
  }

  /**
   * Asks.
   * @throws `StreamError` it is no request, or no answer came
   */
  async ask(cursor: string, signal: AbortSignal): Promise<Response> {
    const { fetch: ask = fetch, headers: given, body, withCredentials, credentials, prime = this.isTidewire } = this.#options;
    const isRequest = this.#input instanceof Request;
    const headers = new Headers(isRequest ? (this.#input as Request).headers : {});
    new Headers((await (typeof given === 'function' ? given() : given)) ?? {}).forEach((value, name) => headers.set(name, value));
    if (!headers.has('Accept')) headers.set('Accept', 'text/event-stream');
    if (cursor) headers.set('Last-Event-ID', inHeader(cursor));
    this.#isSafe ||= headers.has('Idempotency-Key');

    let url = this.#url;
    if (prime && !cursor) url = url.replace(/#.*/s, '').replace(/\??$/, url.includes('?') ? '&prime=1' : '?prime=1');
    const init: RequestInit = {
      ...(this.#options as RequestInit),
      method: this.#method,
      headers,
      // Of an own `Request` it is in the request.
      ...(isRequest && !withCredentials && !credentials ? {} : { credentials: credentials ?? (withCredentials ? 'include' : 'same-origin') }),
      cache: 'no-store',
      signal,
    };
    if (this.#isNamed) {
      delete init.body;
      headers.delete('Content-Type');
    }
    // What is no request fails here, so that what fails there is the network.
    try {
      new Request(url, { ...init, body: init.body == null ? null : '' });
    } catch (error) {
      throw new StreamError('request', `no request: ${(error as Error).message}`, undefined, error);
    }
    const from = isRequest && !this.#isNamed ? (this.#input as Request).clone() : undefined;
    try {
      return await ask(from ? (url === this.#url ? from : new Request(url, from)) : url, init);
    } catch (error) {
      throw new StreamError('network', `no answer from ${url}: the network, the server, or CORS`, undefined, error);
    }
  }

  /** What an opened answer says of the next attempt. */
  learn({ headers, url }: Response): void {
    this.isTidewire ||= headers.has('Tidewire-Resume') || headers.has('Tidewire-Stream');
    const place = headers.get('Tidewire-Stream');
    if (place === null || this.#method === 'GET') return;
    const base = url || this.#url;
    const named = new URL(place, base);
    // Our headers go nowhere else.
    if (named.origin !== new URL(base).origin) return;
    this.#url = named.href;
    this.#method = 'GET';
    this.#isNamed = true;
  }
}

/** Headers are bytes, which `fetch` takes as one character each; an id's bytes are UTF-8, as browsers send it. */
function inHeader(id: string): string {
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
}
