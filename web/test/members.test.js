/**
 * Who reads a topic, from the events of `/presence`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { MAX_NAMES, Members } = await pageModule('members.js');
const json = JSON.stringify;

test('a state, joins and leaves make the list', () => {
  const members = new Members();
  assert.equal(members.readers, null, 'nothing is known yet');
  members.take('presence', json({ topic: 'a', readers: 3, members: [{ name: 'bob', readers: 1 }, { name: 'alice', readers: 1 }] }));
  assert.deepEqual([members.readers, members.nameless], [3, 1]);
  members.take('join', json({ name: 'alice', readers: 4 }));
  members.take('leave', json({ name: 'bob', readers: 3 }));
  members.take('join', json({ name: null, readers: 4 }));
  assert.deepEqual(members.list, [{ name: 'alice', readers: 2 }]);
  assert.deepEqual([members.readers, members.nameless], [4, 2]);
});

test('a new state replaces what was known, as after a restart', () => {
  const members = new Members();
  members.take('join', json({ name: 'gone', readers: 1 }));
  members.take('presence', json({ readers: 0, members: [] }));
  assert.deepEqual([members.readers, members.list], [0, []]);
});

test('who is not listed is counted', () => {
  const members = new Members();
  members.take('presence', json({ readers: 9, members: [{ name: 'a', readers: 1 }], more: 8 }));
  assert.deepEqual([members.readers, members.complete, members.nameless], [9, false, null]);
  members.take('leave', json({ name: 'unlisted', readers: 8 }));
  assert.deepEqual([members.readers, members.list.length], [8, 1]);
});

test('names are bounded, and nonsense changes nothing', () => {
  const members = new Members();
  for (let number = 1; number <= MAX_NAMES + 5; number += 1) {
    members.take('join', json({ name: `n${number}`, readers: number }));
  }
  assert.deepEqual([members.list.length, members.complete, members.readers], [MAX_NAMES, false, MAX_NAMES + 5]);
  for (const nonsense of ['', 'x', 'null', '[]', '{"readers":"3"}']) members.take('presence', nonsense);
  members.take('something', json({ readers: 1 }));
  assert.equal(members.readers, MAX_NAMES + 5);
});
