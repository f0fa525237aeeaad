/** What the parser holds in memory, and what a kept event holds: near the length of their texts, however these are cut. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Parser } from '../src/parser.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const MIB = 1 << 20;
const bytes = (text: string) => new TextEncoder().encode(text);

/** Feeds a parser; what it holds then, in MiB. */
function held(chunks: Iterable<Uint8Array>, most: number): number {
  const before = heap();
  const parser = new Parser('', { maxLine: most, maxEvent: most, maxId: most });
  for (const chunk of chunks) parser.push(chunk);
  const after = heap();
  // Also keeps it alive until here.
  parser.push(bytes('\n\n'));
  return (after - before) / MIB;
}

function* times(count: number, chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield chunk;
}

test('an event of line ends costs what its text costs', () => {
  // Before: 30 MiB.
  expect(held(times(100, bytes('data:\n'.repeat(10_000))), MIB)).toBeLessThan(4);
});

test.each(['data: ', ': ', 'id: ', 'event: ', 'topic: ', 'unknown'])('a line that begins with "%s" and comes byte by byte, too', (start) => {
  function* chunks() {
    yield bytes(start);
    yield* times(MIB / 4, bytes('x'));
  }
  // Before: 8 MiB.
  expect(held(chunks(), MIB)).toBeLessThan(2);
});

test('topics count what they cost', () => {
  // Before: 10 MiB.
  expect(held(times(100, bytes('topic:\n'.repeat(10_000))), MIB)).toBeLessThan(4);
  expect(held(times(100, bytes('topic: ab\n'.repeat(10_000))), MIB)).toBeLessThan(4);
});

test('what is kept of a chunk does not hold the chunk', () => {
  const rest = `: ${'x'.repeat(60_000)}\n`;
  // Before: 23 MiB, of 7 KB of data.
  expect(held(times(400, bytes(`${rest}data: eighteen letters\n`)), MIB)).toBeLessThan(5);

  const before = heap();
  const parser = new Parser();
  const kept = [...times(400, bytes(`${rest}event: eighteen letters\nid: eighteen letters\ntopic: eighteen letters\ndata: eighteen letters\n\n`))].flatMap(
    (chunk) => parser.push(chunk).filter((item) => 'data' in item),
  );
  expect((heap() - before) / MIB).toBeLessThan(5);
  expect(kept).toHaveLength(400);
});

test('a long name is not measured again with each line', () => {
  const parser = new Parser();
  parser.push(bytes(`event: ${'x'.repeat(MIB)}\n`));
  // Before: two minutes, so that this timed out.
  for (const chunk of times(100, bytes('data:\n'.repeat(100)))) parser.push(chunk);
  expect(parser.push(bytes('\n'))).toMatchObject([{ data: '\n'.repeat(9999) }]);
});

test('of a large chunk no more is read than is taken', () => {
  const parser = new Parser();
  const chunk = bytes(Array.from({ length: 10_000 }, (_, at) => `id: ${at}\ndata: x\n\n`).join(''));
  const items = parser.read(chunk);
  items.next();
  expect(+parser.lastEventId).toBeLessThan(1000);
  expect([...items]).toHaveLength(9999);
  expect(parser.lastEventId).toBe('9999');
});

test('a retry of 64 bits is one, as other readers take it', () => {
  expect(new Parser().push(bytes('retry: 18446744073709551615\n'))).toEqual([{ retry: 2 ** 64 }]);
});
