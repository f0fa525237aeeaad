/** Binary data, as the codec's `binary` module writes it. */

import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { isBinary, readBinary } from '../src/binary.ts';

const plain = (base64: string) => `data:application/octet-stream;base64,${base64}`;
const gzip = (bytes: Uint8Array) => `data:application/gzip;base64,${Buffer.from(bytes).toString('base64')}`;

test('reads bytes, gzipped or not; texts are no bytes', async () => {
  expect(await readBinary(plain('AP8='))).toEqual(Uint8Array.of(0, 255));
  expect(await readBinary(plain(''))).toEqual(new Uint8Array());
  const bytes = new Uint8Array(5000).fill(7);
  expect(await readBinary(gzip(gzipSync(bytes)))).toEqual(bytes);
  for (const text of ['', 'hello', 'data:text/plain,hi']) {
    expect(isBinary(text)).toBe(false);
    expect(await readBinary(text)).toBe(undefined);
  }
  expect(isBinary(plain('AP8='))).toBe(true);
});

test('a limit is met before memory is taken', async () => {
  const ten = plain(Buffer.alloc(10).toString('base64'));
  expect(await readBinary(ten, 10)).toHaveLength(10);
  await expect(readBinary(ten, 9)).rejects.toThrow(RangeError);
  const bomb = gzip(gzipSync(Buffer.alloc(10 << 20)));
  expect(bomb.length).toBeLessThan(20 << 10);
  await expect(readBinary(bomb, 100 << 10)).rejects.toThrow(RangeError);
  expect(await readBinary(bomb, 10 << 20)).toHaveLength(10 << 20);
});

test('what is damaged is said to be', async () => {
  for (const damaged of ['!', 'AP8', 'AP8=AP8=', 'AP 8', 'AP9=', '====', 'A===']) {
    await expect(readBinary(plain(damaged)), damaged).rejects.toThrow('base64');
  }
  const whole = gzipSync('hello, hello, hello');
  const flipped = Uint8Array.from(whole);
  flipped[flipped.length - 5]! ^= 1;
  for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 5), Buffer.from('no gzip'), Buffer.alloc(0), flipped]) {
    await expect(readBinary(gzip(bytes))).rejects.toThrow('gzip');
  }
});
