/**
 * The page's own parser of event streams: the vectors of the format, and every cut.
 */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { EventStreamParser } = await pageModule('event-stream.js');
const VECTORS = new URL('../../crates/codec/vectors/', import.meta.url);

/** @param {Uint8Array[]} chunks */
function read(chunks) {
  const items = [];
  const parser = new EventStreamParser({
    onEvent: ({ type, id, data, topics }) => items.push({ name: type, last_event_id: id, data, topics }),
    onComment: (comment) => items.push({ comment }),
    onRetry: (retry) => items.push({ retry }),
  });
  for (const chunk of chunks) parser.push(chunk);
  return { items, last_event_id: parser.lastEventId };
}

/** The bytes whole, byte by byte, and cut in two at every position. @param {Uint8Array} bytes */
function* cuts(bytes) {
  yield [bytes];
  yield [...bytes].map((byte) => Uint8Array.of(byte));
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** @param {Uint8Array} bytes @param {unknown} expected @param {string} name */
function readsUnderEveryCut(bytes, expected, name) {
  for (const chunks of cuts(bytes)) {
    const where = chunks.map((chunk) => chunk.length).join('+');
    assert.deepEqual(read(chunks), expected, `${name}, cut ${where}`);
  }
}

for (const file of (await readdir(VECTORS)).filter((name) => name.endsWith('.json'))) {
  test(`reads the vectors of ${file} under every cut`, async (context) => {
    const { vectors } = JSON.parse(await readFile(new URL(file, VECTORS), 'utf8'));
    // This parser drops what is unfinished, as EventSource does, and has one limit of its own.
    const ours = vectors.filter((vector) => !vector.limits && vector.unfinished !== 'keep');
    if (ours.length < vectors.length) context.diagnostic(`${ours.length} of ${vectors.length} apply`);
    for (const { name, input, base64, items, last_event_id = '' } of ours) {
      const bytes = base64 === undefined ? Buffer.from(input, 'utf8') : Buffer.from(base64, 'base64');
      const expected = items.map((item) => {
        if (!('data' in item)) return item;
        const { has_id: _, ...event } = item;
        return { name: 'message', last_event_id: '', topics: [], ...event };
      });
      readsUnderEveryCut(bytes, { items: expected, last_event_id }, name);
    }
  });
}

test('tells the topics of an event, and only of that one', () => {
  const stream = 'event: a\r\nid: 1\r\ntopic: 房间/一\r\ntopic: b\r\ndata: x\r\ndata: 🌊\r\n\r\ndata: y\r\n\r\n';
  const expected = [
    { name: 'a', last_event_id: '1', data: 'x\n🌊', topics: ['房间/一', 'b'] },
    { name: 'message', last_event_id: '1', data: 'y', topics: [] },
  ];
  readsUnderEveryCut(Buffer.from(stream), { items: expected, last_event_id: '1' }, 'topics');
});

test('a primed cursor, an id without data, is the last event id', () => {
  readsUnderEveryCut(Buffer.from('id: ~e-7\n\n'), { items: [], last_event_id: '~e-7' }, 'prime');
});

test('goes on with the last event id of the connection before', () => {
  const events = [];
  const parser = new EventStreamParser({ onEvent: (event) => events.push(event) }, '41');
  parser.push(Buffer.from('data: without an id\n\n'));
  assert.equal(events[0].id, '41');
  assert.equal(parser.lastEventId, '41');
});

test('a message that never ends is refused, not kept', () => {
  for (const start of ['data: ', ': ', 'id: ']) {
    const parser = new EventStreamParser({ onEvent: () => {} }, '', 1_000);
    parser.push(Buffer.from(start));
    assert.throws(() => {
      for (let chunk = 0; chunk < 20; chunk += 1) parser.push(Buffer.from('x'.repeat(100)));
    }, RangeError);
  }
  const lines = new EventStreamParser({ onEvent: () => {} }, '', 1_000);
  assert.throws(() => {
    for (let line = 0; line < 1_100; line += 1) lines.push(Buffer.from('data\n'));
  }, RangeError);
  const many = new EventStreamParser({ onEvent: () => {} }, '', 1_000);
  for (let event = 0; event < 1_100; event += 1) many.push(Buffer.from('data: short\n\n'));
});
