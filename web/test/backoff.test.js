/**
 * How long the page waits before it connects again.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { waitBefore } = await pageModule('backoff.js');
const seconds = (retryMs, chance) =>
  [1, 2, 3, 4, 5, 6, 7].map((failures) => waitBefore(failures, retryMs, chance) / 1000);

test('waits double up to thirty seconds, spread by chance', () => {
  assert.deepEqual(seconds(1_000, 0), [1, 2, 4, 8, 15, 15, 15]);
  assert.deepEqual(seconds(1_000, 1), [2, 4, 8, 16, 30, 30, 30]);
});

test('never less than the stream asks for, within bounds', () => {
  assert.deepEqual(seconds(60_000, 0), Array(7).fill(60));
  assert.equal(waitBefore(1, 0, 0), 100);
  assert.equal(waitBefore(1, Number.MAX_SAFE_INTEGER, 0), 3_600_000);
});

test('Retry-After counts, within bounds', () => {
  assert.equal(waitBefore(1, 1_000, 0, 7_000), 7_000);
  assert.equal(waitBefore(5, 1_000, 1, 7_000), 30_000);
  assert.equal(waitBefore(1, 1_000, 0, 1e12), 3_600_000);
});
