/**
 * Binary data in the text of an event, as Tidewire writes it: a data URL, which says by itself how to read it. The same
 * as the codec's `binary` module: reading is bounded before anything is decoded.
 */

import { GZIP, OCTET_STREAM } from './protocol.js';

const PLAIN = `data:${OCTET_STREAM};base64,`;
const GZIPPED = `data:${GZIP};base64,`;
/** Some slack for writers that do not compare whether gzip is shorter. */
const SLACK = 1024;

export function isBinary(text: string): boolean {
  return text.startsWith(PLAIN) || text.startsWith(GZIPPED);
}

/**
 * The bytes that a text holds; undefined if it holds none and is to be read as text.
 * @param max of bytes; 16 MiB unless set
 * @throws `RangeError` they are more than `max`; `TypeError` they are damaged
 */
export async function readBinary(text: string, max = 16 << 20): Promise<Uint8Array | undefined> {
  if (text.startsWith(PLAIN)) return base64(text.slice(PLAIN.length), max, max);
  if (!text.startsWith(GZIPPED)) return undefined;
  return gunzip(base64(text.slice(GZIPPED.length), max + SLACK, max), max);
}

function base64(text: string, bound: number, max: number): Uint8Array<ArrayBuffer> {
  if ((text.length / 4) * 3 - (/=*$/.exec(text.slice(-2))?.[0].length ?? 0) > bound) throw tooLarge(max);
  const last = text.slice(-4);
  let binary: string | undefined;
  // `atob` takes spaces, and what lacks its end; a damaged text has to be told from a whole one.
  if (text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.slice(0, -4))) {
    try {
      if (btoa(atob(last)) === last) binary = atob(text);
    } catch {}
  }
  if (binary === undefined) throw new TypeError('the binary data has broken base64');
  return Uint8Array.from(binary, (unit) => unit.charCodeAt(0));
}

async function gunzip(gzip: Uint8Array<ArrayBuffer>, max: number): Promise<Uint8Array> {
  const reader = new Blob([gzip]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new TypeError('the binary data has broken gzip', { cause });
    });
    if (done) break;
    size += value.length;
    if (size > max) {
      await reader.cancel().catch(() => {});
      throw tooLarge(max);
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function tooLarge(max: number): RangeError {
  return new RangeError(`the binary data takes more than ${max} bytes: raise the limit to read it`);
}
