/** A stream as an async iterator, and its views. */

import { expect, test, vi } from 'vitest';
import { type EventStream, events } from '../src/events.ts';
import { Script, TIDEWIRE, refuse, stream } from './support/script.ts';

const of = (script: Script, options = {}): EventStream =>
  events('http://a/s', { fetch: script.fetch as typeof fetch, retry: { initial: 1, random: () => 0 }, ...options });

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const value of values) seen.push(value);
  return seen;
}

test('iterates to the end, over a cut', async () => {
  const script = new Script(stream('id: 1\ndata: a\n\n', 'break'), stream('event: x\nid: 2\ndata: b\n\n'), refuse(204));
  const source = of(script);
  expect(await all(source)).toMatchObject([
    { type: 'message', data: 'a', lastEventId: '1' },
    { type: 'x', data: 'b', lastEventId: '2' },
  ]);
  expect(source.lastEventId).toBe('2');
});

test('an id without an event is where it would be resumed too', async () => {
  const source = of(new Script(stream('data: a\n\nid: primed\n\n', 'stay')));
  await source.next();
  void source.next();
  await vi.waitUntil(() => source.lastEventId === 'primed');
  source.close();
});

test('asks nothing before it is read, and tells status and headers when open', async () => {
  const script = new Script(stream('data: a\n\n', 'stay', TIDEWIRE));
  const source = of(script);
  expect(script.asked).toHaveLength(0);
  expect(source.status).toBe(undefined);
  expect((await source.opened).status).toBe(200);
  expect([source.status, source.headers?.get('Tidewire-Resume')]).toEqual([200, 'live']);
  source.close();
  expect(await source.next()).toEqual({ done: true, value: undefined });
});

test('a refusal tells its status and body, both by `opened` and by reading', async () => {
  const refusal = { code: 'status', status: 403, body: '{"detail":"no"}' };
  await expect(of(new Script(refuse(403, {}, '{"detail":"no"}'))).opened).rejects.toMatchObject(refusal);
  const source = of(new Script(refuse(403, {}, '{"detail":"no"}')));
  await expect(source.next()).rejects.toMatchObject(refusal);
  expect(await source.next()).toEqual({ done: true, value: undefined });
});

test('abort rejects who waits, close() and break end', async () => {
  const stop = new AbortController();
  const script = new Script(stream('data: a\n\n', 'stay'));
  const source = of(script, { signal: stop.signal });
  await source.next();
  const waiting = [source.next(), source.next()];
  stop.abort();
  await expect(waiting[0]).rejects.toMatchObject({ name: 'AbortError' });
  expect(await waiting[1]).toEqual({ done: true, value: undefined });
  expect(script.open).toBe(0);

  const other = of(script);
  for await (const { data } of other) {
    expect(data).toBe('a');
    break;
  }
  await vi.waitUntil(() => script.open === 0);
  expect(await other.next()).toEqual({ done: true, value: undefined });
  const early = of(script);
  early.close();
  await expect(early.opened).rejects.toMatchObject({ code: 'network' });
  await expect(of(script, { signal: stop.signal }).next()).rejects.toMatchObject({ name: 'AbortError' });
});

test('json: [DONE] ends, what stands before the first JSON is passed over, later it is an error', async () => {
  const text = 'data: connected\n\ndata: {"a":1}\n\ndata\n\ndata: [DONE]\n\ndata: {"a":2}\n\n';
  expect(await all(of(new Script(stream(text, 'stay'))).json())).toEqual([{ a: 1 }]);
  const broken = of(new Script(stream('data: {"a":1}\n\ndata: {"a":\n\n', 'stay'))).json();
  expect(await broken.next()).toEqual({ value: { a: 1 } });
  await expect(broken.next()).rejects.toThrow(SyntaxError);
  expect(await broken.next()).toMatchObject({ done: true });
});

test('text: deltas of three providers, without text they do no harm', async () => {
  const chat = [{ role: 'assistant' }, { content: 'Hel' }, {}, { content: null }, { content: 'lo' }].map((delta) => ({ choices: [{ delta }] }));
  const responses = [{ type: 'response.created', response: {} }, { type: 'response.output_text.delta', delta: 'Hello' }, { type: 'response.output_text.done', text: 'Hello' }];
  const anthropic = [{ type: 'message_start' }, { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hello' } }, { type: 'content_block_delta', delta: { type: 'input_json_delta', partial_json: '{' } }];
  for (const values of [chat, responses, anthropic]) {
    const text = ['connected', ...values.map((value) => JSON.stringify(value)), '{"choices":[]}', 'null', '7', '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
    expect((await all(of(new Script(stream(text, 'stay')), { body: '{}' }).text())).join('')).toBe('Hello');
  }
  const own = 'event: delta\ndata: a\n\nevent: other\ndata: x\n\nevent: delta\ndata: b\n\nevent: end\ndata: {}\n\n';
  expect(await all(of(new Script(stream(own, 'stay'))).text(({ type, data }) => (type === 'delta' ? data : null)))).toEqual(['a', 'b']);
});

test('text: an answer that failed is an error', async () => {
  for (const text of [
    'event: error\ndata: {"error":{"message":"overloaded"}}\n\n',
    'data: {"error":"overloaded"}\n\n',
    'data: {"type":"response.failed","response":{"error":{"message":"overloaded"}}}\n\n',
    'event: error\ndata: overloaded\n\n',
  ]) {
    await expect(all(of(new Script(stream(text, 'stay'))).text())).rejects.toMatchObject({ code: 'event', message: 'overloaded' });
  }
});

test('views do not go on over a gap, unless somebody listens', async () => {
  const text = 'data: 1\n\nevent: tidewire.gap\ndata: {"reason":"expired"}\n\ndata: 2\n\ndata: [DONE]\n\n';
  const view = of(new Script(stream(text))).json();
  expect(await view.next()).toEqual({ value: 1 });
  await expect(view.next()).rejects.toMatchObject({ code: 'gap' });
  const gaps: string[] = [];
  expect(await all(of(new Script(stream(text)), { ongap: ({ reason }: { reason: string }) => gaps.push(reason) }).json())).toEqual([1, 2]);
  expect(gaps).toEqual(['expired']);
  const raw = await all(of(new Script(stream(text))));
  expect(raw[1]).toMatchObject({ type: 'tidewire.gap', gap: { reason: 'expired' } });
});

test('an event is taken before the next one is read', async () => {
  const script = new Script(stream('id: 1\ndata: a\n\nid: 2\ndata: b\n\n', 'stay'));
  const source = of(script);
  await source.next();
  await new Promise((done) => setTimeout(done, 5));
  expect(source.lastEventId).toBe('1');
  source.close();
});
