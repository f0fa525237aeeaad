/** `fetchEventSource`: the documented options of the well-known one, and where ours does otherwise on purpose. */

import { expect, test } from 'vitest';
import { type EventSourceMessage, EventStreamContentType, fetchEventSource } from '../src/fetch-event-source.ts';
import { Script, TIDEWIRE, refuse, stream } from './support/script.ts';

const quick = (script: Script) => ({ fetch: script.fetch as typeof fetch, retry: { initial: 1, max: 1, random: () => 0 } });

test('hands out messages and resolves at the end', async () => {
  const seen: EventSourceMessage[] = [];
  let closed = 0;
  const script = new Script(stream('id: 1\nevent: a\nretry: 9\ndata: x\n\ndata: y\n\nevent: message\ndata: z\n\n'));
  await fetchEventSource('http://a/s', { ...quick(script), onmessage: (message) => seen.push(message), onclose: () => (closed += 1) });
  expect(seen).toEqual([
    { id: '1', event: 'a', data: 'x', retry: 9 },
    { id: '', event: '', data: 'y', retry: undefined },
    { id: '', event: 'message', data: 'z', retry: undefined },
  ]);
  expect(closed).toBe(1);
  expect(script.asked).toHaveLength(1);
});

test('the example of its documentation: fatal and retriable errors', async () => {
  class RetriableError extends Error {}
  class FatalError extends Error {}
  const script = new Script(
    () => new Response('', { status: 500 }),
    stream('data: 1\n\n'),
    stream('event: FatalError\ndata: enough\n\n'),
  );
  const seen: string[] = [];
  const whole = fetchEventSource('http://a/s', {
    ...quick(script),
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ foo: 'bar' }),
    async onopen(response) {
      if (response.ok && response.headers.get('content-type') === EventStreamContentType) return;
      throw response.status >= 400 && response.status < 500 && response.status !== 429 ? new FatalError() : new RetriableError();
    },
    onmessage(message) {
      seen.push(message.data);
      if (message.event === 'FatalError') throw new FatalError(message.data);
    },
    onclose() {
      throw new RetriableError();
    },
    onerror(error) {
      if (error instanceof FatalError) throw error;
    },
  });
  await expect(whole).rejects.toThrow(FatalError);
  expect(seen).toEqual(['1', 'enough']);
  expect(script.asked.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST']);
});

test('abort resolves', async () => {
  const stop = new AbortController();
  const script = new Script(stream('data: 1\n\n', 'stay'));
  const errors: unknown[] = [];
  await fetchEventSource('http://a/s', { ...quick(script), signal: stop.signal, onmessage: () => stop.abort(), onerror: (error) => void errors.push(error) });
  expect({ errors, open: script.open }).toEqual({ errors: [], open: 0 });
});

test('onerror says how long to wait', async () => {
  const waits: number[] = [];
  const script = new Script(new TypeError('x'), stream('data: 1\n\n'));
  await fetchEventSource('http://a/s', { ...quick(script), onerror: () => 7, onretry: (_, wait) => waits.push(wait) });
  expect(waits).toEqual([7]);
});

test('204 ends it, whatever onopen thinks of it', async () => {
  const script = new Script(refuse(204));
  await fetchEventSource('http://a/s', { ...quick(script), onopen: () => Promise.reject(new Error('no stream')), onerror: () => {} });
  expect(script.asked).toHaveLength(1);
});

test('a POST that has opened is not sent again, unless onerror says when', async () => {
  const broken = () => new Script(stream('data: 1\n\n', 'break'), stream('data: 2\n\n'));
  const once = broken();
  await expect(fetchEventSource('http://a/s', { ...quick(once), method: 'POST', body: '{}', onerror: () => {} })).rejects.toMatchObject({ code: 'cut' });
  expect(once.asked).toHaveLength(1);
  const again = broken();
  await fetchEventSource('http://a/s', { ...quick(again), method: 'POST', body: '{}', onerror: () => 1 });
  expect(again.asked).toHaveLength(2);
});

test('a final status rejects, with the body', async () => {
  const script = new Script(refuse(401, {}, 'who are you?'));
  await expect(fetchEventSource('http://a/s', quick(script))).rejects.toMatchObject({ status: 401, body: 'who are you?' });
});

test('resumes after a cut, and blocks without data are no messages', async () => {
  const seen: string[] = [];
  const script = new Script(stream('id: 你\n\n: x\n\ndata: \ufeffa\n\n', 'break'), stream('data: b\n\n', 'end'));
  await fetchEventSource('http://a/s', { ...quick(script), onmessage: ({ data }) => seen.push(data) });
  expect(seen).toEqual(['\ufeffa', 'b']);
  expect(Buffer.from(script.asked[1]!.headers.get('last-event-id')!, 'latin1').toString()).toBe('你');
});

test('a Tidewire that ends a body is asked whether that was all', async () => {
  let closed = 0;
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'end', TIDEWIRE), refuse(204));
  await fetchEventSource('http://a/s', { ...quick(script), onclose: () => (closed += 1) });
  expect({ asked: script.asked.length, closed }).toEqual({ asked: 2, closed: 1 });
});

test('what onopen or onmessage throws is thrown where there is no onerror, and ends it', async () => {
  const bug = () => {
    throw new TypeError('a bug of the page');
  };
  for (const callback of [{ onmessage: bug }, { onopen: bug }, { onopen: () => new Promise((_, no) => setTimeout(no, 5, new TypeError('a bug of the page'))) }]) {
    for (const body of ['{}', null]) {
      const script = new Script(stream('id: 1\ndata: 1\n\n', 'stay'));
      await expect(fetchEventSource('http://a/s', { ...quick(script), body, ...callback })).rejects.toThrow('a bug of the page');
      expect([script.asked.length, script.open]).toEqual([1, 0]);
    }
  }
});
