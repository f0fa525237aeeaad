/** What can come to a session in an order that a real clock seldom has. */

import { expect, test } from 'vitest';
import type { StreamOptions } from '../src/options.ts';
import { Session } from '../src/session.ts';
import { TIDEWIRE, stream } from './support/script.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** One that reads, with heartbeats of 15 seconds. */
function reading(options: StreamOptions = {}): Session {
  const session = new Session('http://a/s', options, {});
  expect(session.poll(0)).toEqual({ do: 'prepare' });
  session.prepared(undefined, {}, 0);
  expect(session.poll(0)).toMatchObject({ do: 'send', sent: { input: 'http://a/s' } });
  expect(session.poll(0)).toEqual({ do: 'wait', until: 60_000 });
  session.head(stream('', 'stay', TIDEWIRE)(), 0, 0);
  expect(session.poll(0)).toMatchObject({ do: 'open' });
  session.opened(0);
  expect(session.poll(0)).toMatchObject({ do: 'read', until: 45_000 });
  return session;
}

test('an answer in time, silence to the millisecond, a rest', () => {
  const session = reading();
  expect(session.poll(44_999)).toMatchObject({ do: 'read' });
  expect(session.poll(45_000)).toMatchObject({ do: 'failed', error: { code: 'idle' }, final: false });
  session.answered(undefined, 0, 45_000);
  expect(session.poll(45_000)).toMatchObject({ do: 'retry', wait: 1000 });
  expect(session.poll(45_999)).toEqual({ do: 'wait', until: 46_000 });
  expect(session.poll(46_000)).toEqual({ do: 'prepare' });
});

test('once a connection is dead, its end and its failure are news of nothing', () => {
  const session = reading();
  session.back(30_000);
  session.ended(30_000);
  session.failed(new TypeError('terminated'), 30_000);
  expect(session.poll(30_000)).toMatchObject({ do: 'failed', error: { code: 'idle' }, final: false });
  session.answered(undefined, 0, 30_000);
  expect(session.poll(30_000)).toMatchObject({ do: 'retry', wait: 1000 });
});

test('the time that the caller takes is no silence', () => {
  const session = reading();
  session.bytes(bytes('id: 1\ndata: 1\n\n'), 1000);
  expect(session.poll(1000)).toEqual({ do: 'bytes', count: 15 });
  expect(session.poll(1000)).toMatchObject({ do: 'message', message: { data: '1' } });
  session.given();
  expect(session.poll(100_000)).toMatchObject({ do: 'read', until: 104_500 });
});

test('a page that is away rests until it is back, and what was read and not handed out is asked for again', () => {
  const session = reading();
  session.bytes(bytes('id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n'), 1000);
  session.poll(1000);
  expect(session.poll(1000)).toMatchObject({ do: 'message', message: { data: '1' } });
  expect(session.away(1000)).toBe(true);
  session.given();
  expect(session.poll(1e9)).toEqual({ do: 'wait', until: Infinity });
  session.back(1e9);
  expect(session.poll(1e9)).toEqual({ do: 'prepare' });
  session.prepared(undefined, {}, 1e9);
  const action = session.poll(1e9);
  expect(action.do === 'send' && new Headers(action.sent.init.headers).get('Last-Event-ID')).toBe('1');
});
