/**
 * The file that the pages load (the npm package `tidewire`, bundled and minified): its parser reads the vectors of the
 * format under every cut. That the file is what the sources make is a test of the package.
 */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { Parser } = await pageModule('vendor/tidewire.js');
const VECTORS = new URL('../../crates/codec/vectors/', import.meta.url);

/** @param {Uint8Array[]} chunks @param {{ limits?: Record<string, number>, unfinished?: string }} vector */
function read(chunks, { limits, unfinished }) {
  const bounds = limits && { maxLine: limits.max_line, maxEvent: limits.max_event, maxId: limits.max_id };
  const parser = new Parser('', bounds);
  const found = [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.finish(unfinished === 'keep')];
  const items = found.map((item) => {
    if (!('data' in item)) return item;
    const { event, data, lastEventId, topics = [] } = item;
    return { name: event || 'message', last_event_id: lastEventId, data, topics };
  });
  return { items, last_event_id: parser.lastEventId };
}

/** The bytes whole, byte by byte, and cut in two at every position. @param {Uint8Array} bytes */
function* cuts(bytes) {
  yield [bytes];
  yield [...bytes].map((byte) => Uint8Array.of(byte));
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** @param {Uint8Array} bytes @param {unknown} expected @param {{ name: string }} vector */
function readsUnderEveryCut(bytes, expected, vector) {
  for (const chunks of cuts(bytes)) {
    const where = chunks.map((chunk) => chunk.length).join('+');
    assert.deepEqual(read(chunks, vector), expected, `${vector.name}, cut ${where}`);
  }
}

for (const file of (await readdir(VECTORS)).filter((name) => name.endsWith('.json'))) {
  test(`reads the vectors of ${file} under every cut`, async () => {
    const { vectors } = JSON.parse(await readFile(new URL(file, VECTORS), 'utf8'));
    assert.ok(vectors.length > 0);
    for (const vector of vectors) {
      const { input, base64, items, last_event_id = '' } = vector;
      const bytes = base64 === undefined ? Buffer.from(input, 'utf8') : Buffer.from(base64, 'base64');
      const expected = items.map((item) => {
        if (!('data' in item)) return item;
        const { has_id: _, ...event } = item;
        return { name: 'message', last_event_id: '', topics: [], ...event };
      });
      readsUnderEveryCut(bytes, { items: expected, last_event_id }, vector);
    }
  });
}

test('tells the topics of an event, and only of that one', () => {
  const stream = 'event: a\r\nid: 1\r\ntopic: 房间/一\r\ntopic: b\r\ndata: x\r\ndata: 🌊\r\n\r\ndata: y\r\n\r\n';
  const expected = [
    { name: 'a', last_event_id: '1', data: 'x\n🌊', topics: ['房间/一', 'b'] },
    { name: 'message', last_event_id: '1', data: 'y', topics: [] },
  ];
  readsUnderEveryCut(Buffer.from(stream), { items: expected, last_event_id: '1' }, { name: 'topics' });
});

test('a primed cursor, an id without data, is the last event id', () => {
  readsUnderEveryCut(Buffer.from('id: ~e-7\n\n'), { items: [], last_event_id: '~e-7' }, { name: 'prime' });
});

test('goes on with the last event id of the connection before', () => {
  const parser = new Parser('41');
  const [event] = parser.push(Buffer.from('data: without an id\n\n'));
  assert.equal(event.lastEventId, '41');
  assert.equal(parser.lastEventId, '41');
});
