/** The reason that it was: what an error says. */

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { events } from '../src/events.ts';
import type { StreamOptions } from '../src/options.ts';
import type { Input } from '../src/request.ts';
import { Script, TIDEWIRE, refuse, stream } from './support/script.ts';
import { SSE, cut, site } from './support/site.ts';

afterEach(() => void vi.unstubAllGlobals());

/** The error that ends it. */
async function failure(input: Input, options: StreamOptions = {}): Promise<unknown> {
  try {
    for await (const _ of events(input, { retry: { initial: 1, max: 1 }, ...options }));
    return 'ended';
  } catch (error) {
    return error;
  }
}

const says = (code: string, text: string) => ({ code, message: expect.stringContaining(text) });

test('a streamed body is sent once: what went wrong then is the reason', async () => {
  const body = () => new Blob(['hi']).stream();
  async function* iterable() {
    yield new TextEncoder().encode('hi');
  }
  for (const given of [body(), iterable() as unknown as ReadableStream]) {
    const busy = await site((_, response) => void response.writeHead(503).end('busy'));
    expect(await failure(busy.origin, { body: given, repeat: true })).toMatchObject({ code: 'status', status: 503, body: 'busy' });
    expect(busy.asked.map(({ method }) => method)).toEqual(['POST']);
  }
  const own = await site((_, response) => cut(response, 'id: 1\ndata: 1\n\n', TIDEWIRE));
  expect(await failure(own.origin, { body: body() })).toMatchObject({ code: 'cut' });
  expect(own.asked).toHaveLength(1);
});

test('a streamed body whose answer has a name is read on by it', async () => {
  const own = await site((request, response) => {
    if (request.method === 'POST') cut(response, 'id: 1\ndata: 1\n\n', { ...TIDEWIRE, 'Tidewire-Stream': '/relay/x' });
    else response.writeHead(204).end();
  });
  expect(await failure(own.origin, { body: new Blob(['hi']).stream() })).toBe('ended');
  expect(own.asked.map(({ method, url }) => [method, url])).toEqual([['POST', '/'], ['GET', '/relay/x']]);
});

test('a Request whose body is gone is none', async () => {
  const request = new Request('http://a.test/s', { method: 'POST', body: 'hi' });
  await request.text();
  expect(await failure(request, { fetch: new Script(refuse(204)).fetch as typeof fetch })).toMatchObject({ code: 'request' });
});

test('a body that cannot be read says so, not what its type is', async () => {
  const answer = (body: unknown) => async () => Object.defineProperty(new Response('', { headers: SSE }), 'body', { value: body });
  for (const body of [null, undefined, { pipe() {} }]) {
    expect(await failure('http://a.test/s', { fetch: answer(body) as unknown as typeof fetch })).toMatchObject(says('type', 'web streams'));
  }
  const locked = stream('data: 1\n\n')();
  locked.body!.getReader();
  expect(await failure('http://a.test/s', { fetch: async () => locked })).toMatchObject(says('type', 'read by something else'));
  expect(await failure('http://a.test/s', { fetch: async () => new Response('') })).toMatchObject(says('type', 'text/plain'));
  expect(await failure('http://a.test/s', { fetch: async () => new Response(new Blob([''])) })).toMatchObject(says('type', 'missing'));
  expect(await failure('http://a.test/s', { fetch: async () => Response.error() })).toMatchObject(says('status', '`mode`'));
});

test('no answer: what Node knows is told', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  const options = { retry: { attempts: 0 } };
  expect(await failure(`http://127.0.0.1:${port}/`, options)).toMatchObject(says('network', 'ECONNREFUSED'));
  expect(await failure('http://no-such-host.invalid/', options)).toMatchObject(says('network', 'no-such-host.invalid'));
});

test('no answer in a browser: CORS only for another origin, with the origin that it has to allow', async () => {
  vi.stubGlobal('location', { origin: 'https://page.test' });
  const fetch = new Script(new TypeError('Failed to fetch')).fetch as typeof globalThis.fetch;
  const options = { fetch, retry: { attempts: 0 } };
  expect(await failure('https://page.test/s', options)).toMatchObject(says('network', 'the network or the server (Failed to fetch)'));
  expect(await failure('https://api.test/s', options)).toMatchObject(says('network', 'CORS, which has to allow https://page.test'));
});

test('a coding of none is none, as browsers have it', async () => {
  for (const coding of ['none', 'identity', '']) {
    const own = await site((_, response) => response.writeHead(200, { ...SSE, 'Content-Encoding': coding }).end('data: [DONE]\n\n'));
    expect(await failure(own.origin), coding).toBe('ended');
    expect(own.asked).toHaveLength(1);
  }
});
