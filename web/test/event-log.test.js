/**
 * The events that the page keeps: the last ones, and how many went.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { EventLog, LIMIT } = await pageModule('event-log.js');
const event = (data) => ({ type: 'message', id: '', topics: [], data });

test('keeps the last events and counts the rest', () => {
  const log = new EventLog();
  for (let number = 1; number <= 10_000; number += 1) log.add(event(`${number}`), new Date(0));
  const kept = log.after(0);
  assert.equal(kept.length, LIMIT);
  assert.deepEqual([log.total, log.dropped], [10_000, 10_000 - LIMIT]);
  assert.deepEqual([kept[0].data, kept.at(-1).data], [`${10_001 - LIMIT}`, '10000']);
  assert.deepEqual(log.after(9_998).map(({ data }) => data), ['9999', '10000']);
  assert.deepEqual(log.after(10_000), []);
  log.clear();
  assert.deepEqual([log.total, log.dropped, log.after(0).length], [0, 0, 0]);
});

test('keeps the beginning of a long event, and its length', () => {
  const log = new EventLog();
  log.add(event('x'.repeat(1_000_000)), new Date(0));
  const [entry] = log.after(0);
  assert.deepEqual([entry.data.length, entry.length], [2_000, 1_000_000]);
});
