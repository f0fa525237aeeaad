/**
 * Events per second: sixty numbers, whatever comes.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { Rate, SECONDS } = await pageModule('rate.js');

test('counts events by second, the newest last', () => {
  const rate = new Rate();
  for (const now of [10_000, 10_999, 11_000, 13_500]) rate.add(now);
  const series = rate.series(13_900);
  assert.equal(series.length, SECONDS);
  assert.deepEqual(series.slice(-4), [2, 1, 0, 1]);
  assert.equal(series.reduce((sum, count) => sum + count), 4);
});

test('forgets what is older than a minute', () => {
  const rate = new Rate();
  rate.add(0);
  rate.add(1_000);
  assert.deepEqual(rate.series(60_000).slice(0, 2), [1, 0]);
  assert.ok(rate.series(61_000).every((count) => count === 0));
  rate.add(10_000_000);
  assert.equal(rate.series(10_000_000).at(-1), 1);
  assert.ok(rate.series(99_000_000).every((count) => count === 0), 'a tab that slept for a day');
});

test('a clock that goes back harms nothing', () => {
  const rate = new Rate();
  rate.add(5_000);
  rate.add(4_000);
  assert.deepEqual(rate.series(5_000).slice(-2), [0, 2]);
});
