/** What a page tells its connection, with a page that is none. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StreamOptions } from '../src/options.ts';
import { follow } from '../src/follow.ts';
import { Script, TIDEWIRE, refuse, stream } from './support/script.ts';

const document = Object.assign(new EventTarget(), { hidden: false });
const page = new EventTarget();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', document);
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function hide(hidden: boolean): void {
  document.hidden = hidden;
  document.dispatchEvent(new Event('visibilitychange'));
}

function read(script: Script, options: StreamOptions = {}) {
  const stop = new AbortController();
  const full = { fetch: script.fetch as typeof fetch, ...options, retry: { random: () => 0, ...options.retry } };
  void follow('http://a/s', full, { message: () => {} }, stop.signal).catch(() => {});
  return { stop, turn: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

test('back online, a long pause is not waited out, but the floor is', async () => {
  const script = new Script(refuse(502));
  const { turn, stop } = read(script);
  // Waits of 1, 2, 4, 8 and 15 seconds.
  await turn(15_100);
  expect(script.asked).toHaveLength(5);
  await turn(100);
  page.dispatchEvent(new Event('online'));
  await turn(700);
  expect(script.asked).toHaveLength(5);
  await turn(200);
  expect(script.asked).toHaveLength(6);
  // And waits begin anew.
  await turn(1000);
  expect(script.asked).toHaveLength(7);
  stop.abort();
});

test('a Retry-After is waited out all the same', async () => {
  const script = new Script(refuse(503, { 'Retry-After': '60' }));
  const { turn, stop } = read(script);
  await turn(1000);
  page.dispatchEvent(new Event('online'));
  await turn(58_000);
  expect(script.asked).toHaveLength(1);
  await turn(1000);
  expect(script.asked).toHaveLength(2);
  stop.abort();
});

test('taken out again, a connection that missed its heartbeat is not trusted', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'stay', TIDEWIRE), stream('data: 2\n\n', 'stay', TIDEWIRE));
  const { turn, stop } = read(script);
  await turn(20_000);
  page.dispatchEvent(new Event('pageshow'));
  await turn(5000);
  expect(script.asked).toHaveLength(1);
  page.dispatchEvent(new Event('pageshow'));
  await turn(1000);
  expect(script.asked).toHaveLength(2);
  expect(script.mostOpen).toBe(1);
  stop.abort();
});

test('a hidden page rests if it may, also between attempts, and wakes up with its cursor', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'stay'), refuse(502), stream('data: 2\n\n', 'stay'));
  const { turn, stop } = read(script, { openWhenHidden: false });
  await turn(0);
  hide(true);
  await turn(3_600_000);
  expect([script.open, script.asked.length]).toEqual([0, 1]);
  hide(false);
  await turn(0);
  expect(script.asked).toHaveLength(2);
  hide(true);
  await turn(3_600_000);
  expect(script.asked).toHaveLength(2);
  hide(false);
  await turn(0);
  expect(script.asked.map(({ headers }) => headers.get('Last-Event-ID'))).toEqual([null, '1', '1']);
  expect(script.mostOpen).toBe(1);
  stop.abort();
});

test('the back/forward cache: put aside and taken out', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'stay'));
  const { turn, stop } = read(script);
  await turn(0);
  page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
  await turn(0);
  expect(script.open).toBe(1);
  page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }));
  await turn(100_000);
  expect([script.open, script.asked.length]).toEqual([0, 1]);
  page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  await turn(0);
  expect([script.open, script.asked.length]).toEqual([1, 2]);
  stop.abort();
});

test('a hidden page leaves alone what cannot be repeated, and listens no more when it is over', async () => {
  const script = new Script(stream('data: 1\n\n', 'stay'));
  const { turn, stop } = read(script, { openWhenHidden: false, body: '{}' });
  await turn(0);
  hide(true);
  await turn(0);
  expect(script.open).toBe(1);
  stop.abort();
  await turn(0);
  hide(false);
  page.dispatchEvent(new Event('online'));
  await turn(100_000);
  expect(script.asked).toHaveLength(1);
});
