/** A subscription's situations: the vectors of the clients, at the least, the middle and the most of chance. */

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isEventStream } from '../src/content-type.ts';
import { StreamError } from '../src/error.ts';
import { GAP, gapOf } from '../src/gap.ts';
import type { StreamOptions } from '../src/options.ts';
import { follow } from '../src/follow.ts';
import { type Given, Network, ORIGINS } from './support/network.ts';

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

describe('a subscription', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each((read('session.json') as Vector[]).filter(({ only = 'npm' }) => only === 'npm'))('$name', async (vector) => {
    for (const chance of [0, 0.5, 1]) {
      const { fresh, last_event_id: lastEventId, ...request } = vector.request ?? {};
      const { initial_ms: initial = 1000, max_ms: max = 30_000, attempts = Infinity } = vector.retry ?? {};
      const network = new Network(vector.answers);
      const [data, gaps, waits]: [string[], string[], number[]] = [[], [], []];
      let cursor = lastEventId ?? '';
      let count = 0;
      let end = 'open';
      const options: StreamOptions = {
        ...request,
        ...(fresh && { headers: () => fresh[count++] }),
        lastEventId,
        fetch: network.fetch,
        retry: { initial, max, attempts, random: () => chance },
        onretry: (_, wait) => waits.push(wait),
      };
      const hooks = {
        message: (message: { event: string; data: string; lastEventId: string }) => {
          if (message.event === GAP) gaps.push(gapOf(message.data).reason);
          else data.push(message.data);
          cursor = message.lastEventId;
        },
        moved: (moved: string) => {
          cursor = moved;
        },
      };
      const stop = new AbortController();
      void follow(`${ORIGINS.a}/s`, options, hooks, stop.signal).then(
        () => (end = 'ended'),
        (error: unknown) => (end = error instanceof StreamError ? error.code : String(error)),
      );
      for (let turns = 0; turns < 100 && end === 'open'; turns += 1) await vi.advanceTimersByTimeAsync(100_000);
      stop.abort();

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
  });
});

test.each(read('types.json'))('a type: $name', ({ values, is }) => {
  expect(isEventStream(values.length ? values.join(', ') : null)).toBe(is);
});
