/**
 * What the inspector's page makes of what the tap tells: groups, resumptions, filters.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { groupKey, groups, overAt, passes, resumption } = await pageModule('inspect/model.js');
const { ItemLog } = await pageModule('inspect/item-log.js');

/** A stream of `/a` that was asked for at `time` and lasted 100 ms, unless `more` says otherwise. */
function stream(id, time, more = {}) {
  const request = { method: 'GET', url: 'http://127.0.0.1:1/a?x=1', headers: [] };
  const response = { after: 10, version: 'HTTP/1.1', status: 200, headers: [] };
  const rest = { form: 'events', came_with: null, last_event_id: '', ending: 'cut', ended_at: 100 };
  return { id, time, request, response, ...rest, ...more };
}

test('streams are grouped by method and path, the last news first', () => {
  const at = (id, method, url) => stream(id, id, { request: { method, url, headers: [] } });
  const all = [
    at(1, 'GET', 'http://h:1/a?x=1'),
    at(2, 'POST', 'http://h:1/a'),
    at(3, 'GET', 'http://h:1/b'),
    at(4, 'GET', 'http://h:1/a?x=2'),
    at(5, 'GET', 'http://h:1'),
  ];
  assert.deepEqual(
    groups(all).map(({ key, streams }) => [key, ...streams.map(({ id }) => id)]),
    [['GET /', 5], ['GET /a', 1, 4], ['GET /b', 3], ['POST /a', 2]],
  );
  assert.equal(groupKey(at(1, 'GET', 'http://h/a?next=http://other/b')), 'GET /a');
});

test('a reader that came back is compared with what it was', () => {
  const kind = (before, now) => {
    const streams = [stream(1, 1_000, before), stream(2, 2_000, now)];
    return resumption({ key: '', streams }, streams[1])?.kind ?? null;
  };
  assert.equal(kind({ last_event_id: '7' }, { came_with: '7' }), 'right');
  assert.equal(kind({ last_event_id: '7' }, {}), 'none');
  assert.equal(kind({ last_event_id: '7' }, { came_with: '6' }), 'other');
  assert.equal(kind({}, {}), 'noIds');
  assert.equal(kind({ came_with: '7' }, { came_with: '7' }), 'right', 'nothing had come in between');
  assert.equal(kind({ ending: null, ended_at: null }, {}), null, 'they are two readers');
  assert.equal(kind({ ended_at: 5_000 }, {}), null, 'and these were at the same time');
  assert.equal(kind({ form: 'other' }, {}), null, 'a refusal has no events to go on after');
  const first = stream(1, 0);
  assert.equal(resumption({ key: '', streams: [first] }, first), null);
  const streams = [stream(1, 1_000), stream(2, 2_000)];
  assert.equal(resumption({ key: '', streams }, streams[1]).time, 890);
});

test('an open stream is over now, one that ended when it did', () => {
  assert.equal(overAt(stream(1, 1_000), 9_000), 1_110);
  assert.equal(overAt(stream(1, 1_000, { ending: null, ended_at: null }), 9_000), 9_000);
  assert.equal(overAt(stream(1, 1_000, { ending: null, ended_at: null }), 0), 1_010, 'a clock that is behind');
});

test('a filter is a kind and a text', () => {
  const items = [
    { kind: 'event', type: 'price', id: 'a1', data: 'Gold' },
    { kind: 'event', type: 'comment', id: null, data: 'no comment' },
    { kind: 'line', data: '{"gold":1}' },
    { kind: 'comment', data: 'beat' },
    { kind: 'retry', millis: 5 },
    { kind: 'fault', code: 'missed' },
  ];
  const found = (kind, search = '') => items.flatMap((item, at) => (passes(item, { kind, search }) ? [at] : []));
  assert.deepEqual(found(''), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(found('events'), [0, 1, 2]);
  assert.deepEqual(found('comment'), [3]);
  assert.deepEqual(found('type:comment'), [1]);
  assert.deepEqual(found('fault'), [5]);
  assert.deepEqual(found('', 'gold'), [0, 2]);
  assert.deepEqual(found('events', 'A1'), [0]);
});

test('the log keeps the last items and counts the others', () => {
  const log = new ItemLog(3);
  const numbers = (after) => log.after(after).map(({ n }) => n);
  log.add([{ n: 6 }, { n: 7 }]);
  assert.deepEqual([log.total, log.gone, numbers(0)], [7, 5, [6, 7]], 'five had gone before the page was there');
  log.add([]);
  for (let n = 8; n <= 25; n += 1) log.add([{ n }]);
  assert.deepEqual([log.total, log.gone, numbers(0)], [25, 22, [23, 24, 25]]);
  assert.deepEqual([numbers(24), numbers(25)], [[25], []]);
  log.add([{ n: 30 }]);
  assert.deepEqual([log.total, numbers(25)], [30, [30]], 'what was lost in between is not shown again as something else');
  log.clear();
  assert.deepEqual([log.total, numbers(0)], [0, []]);
});

test('what acts on a page, reorders or hides text is written out; what letters are written with stays', async () => {
  const { shown } = await pageModule('controls.js');
  assert.equal(shown('a\u202eb\u2066\u061c\u200f\x9b\ufeff\u2028'), 'a\\u202eb\\u2066\\u061c\\u200f\\u009b\\ufeff\\u2028');
  assert.equal(shown('\u{e0041}'), '\\u{e0041}');
  for (const text of ['潮汐\té\n', 'می\u200cخواهم', '👩\u200d🚀', '❤\ufe0f', 'שלום']) assert.equal(shown(text), text);
});
