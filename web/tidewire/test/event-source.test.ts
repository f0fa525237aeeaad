/** `EventSource`: what the standard says of it, and what ours adds. */

import { expect, test } from 'vitest';
import { EventSource } from '../src/event-source.ts';
import { Script, refuse, stream } from './support/script.ts';

const URL_ = 'http://a.test/s';

/** Until it is closed: the types, data and states of all that was dispatched, in order. */
function all(script: Script, names: string[] = [], options = {}): Promise<unknown[]> {
  const source = new EventSource(URL_, { fetch: script.fetch as typeof fetch, retry: { initial: 1 }, ...options });
  const seen: unknown[] = [];
  return new Promise((done) => {
    for (const name of ['open', 'message', 'error', ...names]) {
      source.addEventListener(name, (event) => {
        seen.push([event.type, event.data ?? null, source.readyState]);
        if (source.readyState === EventSource.CLOSED) done(seen);
      });
    }
  });
}

test('opens, hands out events, reconnects after a cut, closes at 204', async () => {
  const script = new Script(stream('data: 1\n\nevent: tick\ndata: 2\n\n'), refuse(204));
  expect(await all(script, ['tick'])).toEqual([
    ['open', null, 1],
    ['message', '1', 1],
    ['tick', '2', 1],
    ['error', null, 0],
    ['error', null, 2],
  ]);
});

test('a refusal that is final closes it, with the reason', async () => {
  const source = new EventSource(URL_, { fetch: new Script(refuse(404, {}, 'no such topic')).fetch as typeof fetch });
  const event = await new Promise<Event & { error: unknown }>((done) => (source.onerror = done));
  expect(event.error).toMatchObject({ code: 'status', status: 404, body: 'no such topic' });
  expect(source.readyState).toBe(2);
});

test('has the face of the standard', () => {
  const source = new EventSource('http://a.test/x y#z', { fetch: new Script(refuse(204)).fetch as typeof fetch, withCredentials: true });
  expect(source.url).toBe('http://a.test/x%20y#z');
  expect(source.withCredentials).toBe(true);
  expect(source.readyState).toBe(EventSource.CONNECTING);
  expect([source.CONNECTING, source.OPEN, source.CLOSED]).toEqual([0, 1, 2]);
  expect([EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED]).toEqual([0, 1, 2]);
  expect(source.onopen).toBe(null);
  expect(source).toBeInstanceOf(EventTarget);
  source.close();
  expect(source.readyState).toBe(2);
  expect(() => new EventSource('http://[')).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
});

test('message events carry id, origin and topics', async () => {
  const source = new EventSource(URL_, { fetch: new Script(stream('id: 7\ntopic: a\ndata: x\n\n', 'stay')).fetch as typeof fetch });
  const event = await new Promise<MessageEvent>((done) => (source.onmessage = done));
  expect(event).toMatchObject({ data: 'x', lastEventId: '7', origin: 'http://a.test', topics: ['a'] });
  source.close();
});

test('after close() nothing comes, not even of the same chunk', async () => {
  const seen: string[] = [];
  const source = new EventSource(URL_, { fetch: new Script(stream('data: 1\n\ndata: 2\n\ndata: 3\n\n', 'stay')).fetch as typeof fetch });
  source.onerror = () => seen.push('error');
  await new Promise<void>((done) => {
    source.onmessage = ({ data }) => {
      seen.push(data);
      if (data === '2') {
        source.close();
        setTimeout(done, 20);
      }
    };
  });
  expect(seen).toEqual(['1', '2']);
});

test('a listener can be an object, be taken away, and be exchanged as an attribute in its place', async () => {
  const seen: string[] = [];
  const source = new EventSource(URL_, { fetch: new Script(stream('data: 1\n\n', 'stay')).fetch as typeof fetch });
  source.onmessage = () => seen.push('old');
  const gone = () => seen.push('gone');
  source.addEventListener('message', gone);
  source.removeEventListener('message', gone);
  const last = new Promise<void>((done) => source.addEventListener('message', { handleEvent: () => (seen.push('object'), done()) }));
  source.onmessage = function () {
    seen.push(this === source ? 'new' : 'without this');
  };
  await last;
  expect(seen).toEqual(['new', 'object']);
  source.onmessage = null;
  expect(source.onmessage).toBe(null);
  source.close();
});

test('the signal closes it', async () => {
  const stop = new AbortController();
  const script = new Script(stream('data: 1\n\n', 'stay'));
  const source = new EventSource(URL_, { fetch: script.fetch as typeof fetch, signal: stop.signal });
  await new Promise((done) => (source.onmessage = done));
  stop.abort();
  expect(source.readyState).toBe(2);
  expect(script.open).toBe(0);
  const late = new EventSource(URL_, { fetch: script.fetch as typeof fetch, signal: stop.signal });
  expect(late.readyState).toBe(2);
});

test('a gap is an event of its own', async () => {
  const gap = 'event: tidewire.gap\ndata: {"requested":"a","resumed_after":"b","reason":"reset"}\n\n';
  const source = new EventSource(URL_, { fetch: new Script(stream(gap, 'stay')).fetch as typeof fetch });
  const event = await new Promise<Event & { gap?: unknown }>((done) => (source.ongap = done));
  expect(event.gap).toEqual({ reason: 'reset', requested: 'a', resumedAfter: 'b' });
  source.close();
});

test('another status than 200 closes it, as the standard says', async () => {
  const source = new EventSource(URL_, { fetch: new Script(() => new Response('data: 1\n\n', { status: 201, headers: { 'Content-Type': 'text/event-stream' } })).fetch as typeof fetch });
  const event = await new Promise<Event & { error: unknown }>((done) => (source.onerror = done));
  expect([event.error, source.readyState]).toMatchObject([{ code: 'status', status: 201 }, 2]);
});
