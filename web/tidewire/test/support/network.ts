/**
 * Two origins behind a `fetch` that answers what a vector says, attempt by attempt. Redirects are followed as Fetch has it
 * (4.4, "HTTP-redirect fetch"); `origins.test.ts` shows the same with the real one.
 */

export type Given =
  | { status?: number; headers?: Record<string, string | null>; body?: string; then?: 'end' | 'cut' | 'stay'; after_ms?: number }
  | { refuse: true }
  | { silent: true }
  | { redirect: [number, string] };

export const ORIGINS = { a: 'http://a.test', b: 'http://b.test' };

interface Asked {
  method: string;
  origin: string;
  path: string;
  headers: Headers;
  body: unknown;
}

const named = (text: string) => text.replace(/\{([ab])\}/, (_, name: 'a' | 'b') => ORIGINS[name]);

export class Network {
  readonly asked: Asked[] = [];
  readonly #answers: Given[];

  constructor(answers: Given[]) {
    this.#answers = [...answers];
  }

  /** A header as its bytes say it. */
  header(at: number, name: string): string | null {
    const value = this.asked[at]!.headers.get(name);
    return value === null ? null : Buffer.from(value, 'latin1').toString('utf8');
  }

  readonly fetch = (async (input: string | URL, { method, headers, body, signal }: RequestInit = {}) => {
    const { given, url } = this.ask(input, { method, headers, body });
    if ('refuse' in given) throw new TypeError('fetch failed');
    if ('silent' in given) return new Promise<Response>((_, fail) => signal!.addEventListener('abort', () => fail(signal!.reason)));
    return response(given, url, signal!);
  }) as typeof fetch;

  /** What the server does with a request, and where redirects have led it. */
  ask(input: string | URL, { method = 'GET', headers: sent, body }: Pick<RequestInit, 'method' | 'headers' | 'body'>): { given: Exclude<Given, { redirect: unknown }>; url: URL } {
    const headers = new Headers(sent);
    let url = new URL(input);
    for (;;) {
      const origin = url.origin === ORIGINS.a ? 'a' : 'b';
      this.asked.push({ method, origin, path: url.pathname + url.search, headers: new Headers(headers), body: body ?? undefined });
      const given = this.#answers.length > 1 ? this.#answers.shift()! : this.#answers[0]!;
      if (!('redirect' in given)) return { given, url };
      const [status, location] = given.redirect;
      const next = new URL(named(location), url);
      if (next.origin !== url.origin) headers.delete('Authorization');
      if (status === 303 || (status < 303 && method === 'POST')) {
        method = 'GET';
        body = null;
        headers.delete('Content-Type');
      }
      url = next;
    }
  }
}

/** A stream's head; its body is given by who drives it. */
export function head({ status = 200, headers: given = {} }: Exclude<Given, { refuse: true } | { silent: true } | { redirect: unknown }>, url: URL, body: ReadableStream): Response {
  const headers = new Headers(status < 300 ? { 'Content-Type': 'text/event-stream' } : {});
  for (const [name, value] of Object.entries(given)) {
    if (value === null) headers.delete(name);
    else headers.set(name, named(value));
  }
  const made = new Response([204, 205].includes(status) ? null : body, { status, headers });
  return Object.defineProperty(made, 'url', { value: url.href });
}

function response(answer: Exclude<Given, { refuse: true } | { silent: true } | { redirect: unknown }>, url: URL, signal: AbortSignal): Response {
  const { body: text = '', then = 'end', after_ms: after = 0 } = answer;
  const body = new ReadableStream({
    start(controller) {
      if (text) controller.enqueue(new TextEncoder().encode(text));
      if (then === 'end') controller.close();
      signal.addEventListener('abort', () => then === 'stay' && controller.error(signal.reason));
    },
    async pull(controller) {
      if (after) await new Promise((done) => setTimeout(done, after));
      if (then === 'cut') controller.error(new TypeError('terminated'));
    },
  });
  return head(answer, url, body);
}
