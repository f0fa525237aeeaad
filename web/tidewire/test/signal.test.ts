/** One signal for many streams. */

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { EventSource } from '../src/event-source.ts';
import { events } from '../src/events.ts';
import { fetchEventSource } from '../src/fetch-event-source.ts';
import { Script, refuse, stream } from './support/script.ts';

test('a signal that stops many streams has one listener, and none once they are over; Node warns of nothing', async () => {
  const warnings: string[] = [];
  const hear = (warning: Error) => warnings.push(warning.message);
  process.on('warning', hear);
  const stop = new AbortController();
  const { signal } = stop;
  const script = new Script((asked) => (asked.url.endsWith('wait') ? refuse(503)() : stream('data: 1\n\n', 'stay')()));
  const fetch = script.fetch as typeof globalThis.fetch;
  const all: Promise<unknown>[] = [];
  for (let count = 0; count < 15; count += 1) {
    for (const url of ['http://a/s', 'http://a/wait']) {
      new EventSource(url, { fetch, signal });
      all.push(fetchEventSource(url, { fetch, signal }), expect(events(url, { fetch, signal, end: false }).bytes().next()).rejects.toMatchObject({ name: 'AbortError' }));
    }
  }
  await new Promise((done) => setTimeout(done, 50));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  stop.abort();
  await Promise.all(all);
  await new Promise((done) => setTimeout(done, 10));
  expect([getEventListeners(signal, 'abort').length, script.open]).toEqual([0, 0]);
  process.off('warning', hear);
  expect(warnings).toEqual([]);
});
