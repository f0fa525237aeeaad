/**
 * The journal of a stream: in order, and bounded.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { Journal, LIMIT } = await pageModule('journal.js');

test('entries are numbered, and the last ones are kept', () => {
  const journal = new Journal();
  for (let attempt = 1; attempt <= 3 * LIMIT; attempt += 1) journal.add({ kind: 'open', attempt }, new Date(attempt));
  assert.equal(journal.total, 3 * LIMIT);
  assert.equal(journal.entries.length, LIMIT);
  const [oldest] = journal.entries;
  assert.deepEqual(oldest, { kind: 'open', attempt: 101, number: 101, time: new Date(101) });
});
