/**
 * The times between events as numbers and bars, and bars as an outline.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { Intervals, PLACES } = await pageModule('intervals.js');
const { HEIGHT, outline } = await pageModule('bars.js');

test('intervals are numbers and shares, however many come', () => {
  const intervals = new Intervals();
  assert.equal(intervals.numbers, null);
  assert.deepEqual(intervals.shares, []);
  for (const interval of [30, 10, 20]) intervals.add(interval);
  assert.deepEqual(intervals.numbers, { count: 3, median: 20, longest: 30, last: 20 });
  assert.equal(intervals.shares[0], 1, 'the longest is as high as there is room');
  for (let interval = 0; interval < 10 * PLACES; interval += 1) intervals.add(interval);
  assert.equal(intervals.numbers.count, PLACES);
  assert.equal(intervals.shares.length, PLACES);
  intervals.clear();
  intervals.add(0);
  const [share] = intervals.shares;
  assert.ok(share > 0 && share < 0.1, 'no time at all is a bar too');
});

test('a minute and a millisecond are both seen', () => {
  const intervals = new Intervals();
  for (const interval of [1, 60_000]) intervals.add(interval);
  const [short, long] = intervals.shares;
  assert.ok(short > 0.05 && long === 1);
});

test('bars stand side by side; nothing is no bar', () => {
  assert.equal(outline([1, 0, 0.5], 7), `M7 ${HEIGHT}v-40.0h.8v40.0zM9 ${HEIGHT}v-20.0h.8v20.0z`);
  assert.equal(outline([]), '');
});
