/** When to try again: chance and time are arguments. */

import { expect, test } from 'vitest';
import { floorOf, passes, retryAfter, waitBefore } from '../src/policy.ts';

test('waits at least what the stream says, at most twice that, and more after each failure', () => {
  expect([0, 0.5, 1].map((chance) => waitBefore(1, 1000, 0, 30_000, chance))).toEqual([1000, 1500, 2000]);
  expect([1, 2, 3, 4, 5, 6].map((failures) => waitBefore(failures, 1000, 0, 30_000, 1))).toEqual([
    2000, 4000, 8000, 16_000, 30_000, 30_000,
  ]);
  // Spread even at the most: those that were cut together do not come back together.
  expect(waitBefore(50, 1000, 0, 30_000, 0)).toBe(15_000);
});

test('a server may ask for more than the most, but not for no wait, nor for years', () => {
  expect(waitBefore(9, 60_000, 0, 30_000, 1)).toBe(60_000);
  expect(waitBefore(1, 0, 0, 30_000, 0)).toBe(100);
  expect(waitBefore(1, 1e15, 0, 30_000, 0)).toBe(3_600_000);
  expect(waitBefore(1, 1000, 20_000, 30_000, 0)).toBe(20_000);
  expect(waitBefore(1, 1000, 1e15, 30_000, 0)).toBe(3_600_000);
  expect(floorOf(0)).toBe(100);
});

test('reads Retry-After as seconds and as a date, and ignores what is neither', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfter('7', now)).toBe(7000);
  expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  for (const value of [null, '', 'soon', '-5']) expect(retryAfter(value, now)).toBe(0);
});

test('passing troubles are those after which the request may be sent again', () => {
  const all = Array.from({ length: 600 }, (_, status) => status);
  const anyway = all.filter((status) => passes(status, false));
  expect(anyway).toEqual([408, 425, 429, 503]);
  const repeatable = all.filter((status) => passes(status, true));
  expect(repeatable).toEqual(expect.arrayContaining([...anyway, 500, 502, 504, 520, 529]));
  expect(repeatable.filter((status) => status < 500 || [501, 505].includes(status))).toEqual([408, 425, 429]);
});
