/** The parser: the vectors of the format under every cut, as the Rust decoder reads them. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Item, Parser } from '../src/parser.ts';

const VECTORS = new URL('../../../crates/codec/vectors/', import.meta.url);

interface Vector {
  name: string;
  input?: string;
  base64?: string;
  limits?: { max_line: number; max_event: number; max_id: number };
  unfinished?: 'drop' | 'keep';
  items: object[];
  last_event_id?: string;
}

function read(chunks: Uint8Array[], { limits, unfinished }: Vector) {
  const bounds = limits && { maxLine: limits.max_line, maxEvent: limits.max_event, maxId: limits.max_id };
  const parser = new Parser('', bounds);
  const items = chunks.flatMap((chunk) => parser.push(chunk));
  items.push(...parser.finish(unfinished === 'keep'));
  return { items: items.map(seen), last_event_id: parser.lastEventId };
}

/** An item as the vectors write it. */
function seen(item: Item): object {
  if (!('data' in item)) return item;
  const { event, data, lastEventId, id } = item;
  return { name: event || 'message', data, last_event_id: lastEventId, has_id: id !== undefined };
}

function expected({ items, last_event_id = '' }: Vector) {
  const defaults = { name: 'message', last_event_id: '', has_id: false };
  return { items: items.map((item) => ('data' in item ? { ...defaults, ...item } : item)), last_event_id };
}

/** Whole, byte by byte, cut in two at every position; short ones also in three. */
function* cuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [...bytes].map((byte) => Uint8Array.of(byte));
  const most = bytes.length;
  for (let first = 0; first <= most; first += 1) {
    yield [bytes.subarray(0, first), bytes.subarray(first)];
    for (let second = first; most < 80 && second <= most; second += 1) {
      yield [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
    }
  }
}

const files = readdirSync(VECTORS).filter((name) => name.endsWith('.json'));
test('all files of vectors are there', () => expect(files.length).toBeGreaterThanOrEqual(10));

for (const file of files) {
  const { vectors } = JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8')) as { vectors: Vector[] };
  describe(file, () => {
    test.each(vectors)('$name', (vector) => {
      const bytes = Buffer.from(vector.input ?? vector.base64 ?? '', vector.input === undefined ? 'base64' : 'utf8');
      const wanted = JSON.stringify(expected(vector));
      for (const chunks of cuts(bytes)) {
        const outcome = read(chunks, vector);
        // Compared as text first: there are many cuts, and `toEqual` is slow.
        if (ordered(outcome) !== ordered(JSON.parse(wanted))) {
          expect(outcome, `cut ${chunks.map(({ length }) => length)}`).toEqual(JSON.parse(wanted));
        }
      }
    });
  });
}

function ordered({ items, last_event_id }: { items: object[]; last_event_id: string }): string {
  return JSON.stringify([items.map((item) => Object.entries(item).sort()), last_event_id]);
}

const bytes = (text: string) => new TextEncoder().encode(text);

test('tells the topics of an event, and only of that one', () => {
  const parser = new Parser();
  const items = parser.push(bytes('topic: 房间/一\ntopic: b\ndata: x\n\ndata: y\n\n'));
  expect(items).toMatchObject([{ data: 'x', topics: ['房间/一', 'b'] }, { data: 'y', topics: undefined }]);
});

test('topics count for the limit of an event', () => {
  const parser = new Parser('', { maxEvent: 100 });
  const items = Array.from({ length: 1000 }, () => parser.push(bytes('topic: abcdef\n'))).flat();
  expect(items).toEqual([{ overlong: 'event' }]);
});

test('goes on with the last event id of the connection before', () => {
  const parser = new Parser('41');
  expect(parser.push(bytes('data: without an id\n\n'))).toMatchObject([{ lastEventId: '41', id: undefined }]);
  expect(parser.lastEventId).toBe('41');
});

test('what never ends is skipped, not kept', () => {
  for (const start of ['data: ', ': ', 'id: ', 'event: ', 'x']) {
    const parser = new Parser('', { maxLine: 1000, maxEvent: 1000 });
    const items = parser.push(bytes(start));
    for (let chunk = 0; chunk < 100; chunk += 1) items.push(...parser.push(bytes('x'.repeat(100))));
    expect(items).toHaveLength(1);
    expect(parser.push(bytes('\n\ndata: next\n\n'))).toMatchObject([{ data: 'next' }]);
  }
});
