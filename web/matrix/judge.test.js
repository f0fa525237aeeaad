/**
 * The judge itself: that it can fail, and that it names the difference.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costs, differences } from './compare.js';
import { expectedDifferences, judge } from './expected.js';
import { everyCell } from './matrix.js';

const outcome = (events, { error, calls = 1, tokens = 12 } = {}) => ({ seen: [{ events, error }], calls, tokens });
const STATED = [{ clients: ['a-*'], but: ['a-z'], cells: ['dies'], differs: ['^error: '], says: '' }];

test('an event that is another, missing or too many is a difference, and so is another error', () => {
  assert.deepEqual(differences(outcome([1, 2]), outcome([1, 2])), []);
  assert.deepEqual(differences(outcome([1, 2]), outcome([1, 3])), ['event 1: 2 → 3']);
  assert.deepEqual(differences(outcome([1, 2]), outcome([1])), ['event 1: 2 → none']);
  assert.deepEqual(differences(outcome([1]), outcome([1, 2])), ['event 1: none → 2']);
  const error = { class: 'E', message: 'm' };
  assert.deepEqual(differences(outcome([]), outcome([], { error })), ['error: none → E "m"']);
});

test('more calls or tokens are dearer, and fewer are right only where an answer may be shared', () => {
  assert.deepEqual(costs({}, outcome([]), outcome([], { calls: 2, tokens: 12 })), ['dearer: 1 calls → 2']);
  assert.deepEqual(costs({}, outcome([], { tokens: 6 }), outcome([])), ['dearer: 6 tokens → 12']);
  assert.deepEqual(costs({}, outcome([], { calls: 2 }), outcome([])), ['not asked: 2 calls → 1']);
  assert.deepEqual(costs({ shared: 'may' }, outcome([], { calls: 2 }), outcome([])), []);
  const both = outcome([], { calls: 2 });
  assert.deepEqual(costs({ shared: 'once' }, both, both), ['not shared: 2 calls']);
});

test('a difference is wrong unless it is stated for this client and cell, and so is a stated one that is gone', () => {
  assert.deepEqual(judge(STATED, 'a-js', 'dies', ['error: x → y']), []);
  assert.deepEqual(judge(STATED, 'a-js', 'dies', ['error: x → y', 'dearer']), ['dearer']);
  assert.deepEqual(judge(STATED, 'a-js', 'whole', ['error: x → y']), ['error: x → y']);
  assert.deepEqual(judge(STATED, 'a-z', 'dies', ['error: x → y']), ['error: x → y']);
  assert.deepEqual(judge(STATED, 'a-js', 'dies', []), ['no longer: ^error: ']);
});

test('every stated difference is stated in docs/relay.md, of cells that there are', async () => {
  const cells = everyCell();
  for (const one of await expectedDifferences()) {
    for (const cell of one.cells) {
      const isMeant = (each) => each.cell === cell && judge([one], each.row, cell, []).length > 0;
      assert.ok(cells.some(isMeant), `no client has the cell ${cell} of ${JSON.stringify(one)}`);
    }
  }
});
