/** A subscription's situations: the vectors of the clients, at the least, the middle and the most of chance. */

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isEventStream } from '../src/content-type.ts';
import { StreamError } from '../src/error.ts';
import { GAP, gapOf } from '../src/gap.ts';
import type { StreamOptions } from '../src/options.ts';
import { follow } from '../src/follow.ts';
import { type Given, Network, ORIGINS } from './support/network.ts';
import { type Seen, runVirtually } from './support/virtual.ts';

type Headers_ = Record<string, string | null>;
interface Vector {
  name: string;
  request?: { method?: string; headers?: Record<string, string>; body?: string; repeat?: boolean; last_event_id?: string; fresh?: Record<string, string>[] };
  retry?: { initial_ms?: number; max_ms?: number; attempts?: number };
  answers: Given[];
  asked: { method: string; path: string; origin?: 'a' | 'b'; headers?: Headers_; body?: string | false }[];
  waits?: [number, number][];
  events?: string[];
  gaps?: string[];
  last_event_id?: string;
  end: string;
  only?: string;
}

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../crates/client/vectors/${name}`, import.meta.url), 'utf8')).vectors;

const situations = (read('session.json') as Vector[]).filter(({ only = 'npm' }) => only === 'npm');

function optionsOf(vector: Vector, chance: number): StreamOptions {
  const { fresh, last_event_id: lastEventId, ...request } = vector.request ?? {};
  const { initial_ms: initial = 1000, max_ms: max = 30_000, attempts = Infinity } = vector.retry ?? {};
  let count = 0;
  return { ...request, ...(fresh && { headers: () => fresh[count++] }), lastEventId, retry: { initial, max, attempts, random: () => chance } };
}

describe('a session, without network and clock', () => {
  test.each(situations)('$name', (vector) => {
    for (const chance of [0, 0.5, 1]) {
      const network = new Network(vector.answers);
      check(vector, network, runVirtually(network, optionsOf(vector, chance), chance), chance);
    }
  });

  test('sees no clock but that which it is given, and sets no timer', () => {
    const none = () => {
      throw new Error('not here');
    };
    vi.stubGlobal('setTimeout', none);
    vi.stubGlobal('setInterval', none);
    vi.stubGlobal('fetch', none);
    const calendar = vi.spyOn(Date, 'now').mockImplementation(none);
    const hands = vi.spyOn(performance, 'now').mockImplementation(none);
    try {
      const outcomes = situations.map((vector) => runVirtually(new Network(vector.answers), optionsOf(vector, 0), 0).end);
      expect(outcomes).toEqual(situations.map(({ end }) => end));
    } finally {
      hands.mockRestore();
      calendar.mockRestore();
      vi.unstubAllGlobals();
    }
  });
});

describe('a subscription', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each(situations)('$name', async (vector) => {
    for (const chance of [0, 0.5, 1]) {
      const network = new Network(vector.answers);
      const seen: Seen = { end: 'open', data: [], gaps: [], waits: [], cursor: vector.request?.last_event_id ?? '' };
      const options: StreamOptions = { ...optionsOf(vector, chance), fetch: network.fetch, onretry: (_, wait) => seen.waits.push(wait) };
      const hooks = {
        message: (message: { event: string; data: string; lastEventId: string }) => {
          if (message.event === GAP) seen.gaps.push(gapOf(message.data).reason);
          else seen.data.push(message.data);
          seen.cursor = message.lastEventId;
        },
        moved: (moved: string) => {
          seen.cursor = moved;
        },
      };
      const stop = new AbortController();
      void follow(`${ORIGINS.a}/s`, options, hooks, stop.signal).then(
        () => (seen.end = 'ended'),
        (error: unknown) => (seen.end = error instanceof StreamError ? error.code : String(error)),
      );
      for (let turns = 0; turns < 100 && seen.end === 'open'; turns += 1) await vi.advanceTimersByTimeAsync(100_000);
      stop.abort();
      check(vector, network, seen, chance);
    }
  });
});

function check(vector: Vector, network: Network, { end, data, gaps, waits, cursor }: Seen, chance: number): void {
  const asked = network.asked.map(({ method, origin, path }) => `${method} ${origin}${path}`);
  expect({ end, data, gaps, asked }).toEqual({
    end: vector.end,
    data: vector.events ?? [],
    gaps: vector.gaps ?? [],
    asked: vector.asked.map(({ method, origin = 'a', path }) => `${method} ${origin}${path}`),
  });
  vector.asked.forEach(({ headers = {}, body }, at) => {
    for (const [name, value] of Object.entries(headers)) expect(network.header(at, name), `${at}: ${name}`).toBe(value);
    if (body !== undefined) expect(network.asked[at]!.body, `${at}: body`).toBe(body === false ? undefined : body);
  });
  if (vector.last_event_id !== undefined) expect(cursor).toBe(vector.last_event_id);
  if (vector.waits) expect(waits).toHaveLength(vector.waits.length);
  vector.waits?.forEach(([least, most], at) => {
    expect(waits[at], `wait ${at}`).toBeGreaterThanOrEqual(least);
    expect(waits[at], `wait ${at}`).toBeLessThanOrEqual(most);
    // Jitter spreads over all of it.
    if (chance === 0) expect(waits[at]).toBe(least);
    if (chance === 1) expect(waits[at]).toBe(most);
  });
}

test.each(read('types.json'))('a type: $name', ({ values, is }) => {
  expect(isEventStream(values.length ? values.join(', ') : null)).toBe(is);
});
