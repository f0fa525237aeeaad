/** AI answers: the vectors of the clients. */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Answer } from '../src/answer.ts';
import { events } from '../src/events.ts';
import { fetchEventSource } from '../src/fetch-event-source.ts';
import { Script, TIDEWIRE, stream } from './support/script.ts';

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../crates/client/vectors/${name}`, import.meta.url), 'utf8')).vectors;

interface Vector {
  name: string;
  events?: unknown[];
  body?: string;
  dialect?: string;
  text?: string;
  whole?: boolean;
  over?: boolean;
  truncated?: boolean;
  failed?: string;
  unread?: boolean;
  lines?: boolean;
}

/** These have no text that is read by table, so a client need not tell them from others. */
const named = (dialect = 'unknown') => (['mcp', 'langgraph'].includes(dialect) ? 'unknown' : dialect);
const dataOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
const eventsOf = ({ events = [] }: Vector) => events.map((event) => (Array.isArray(event) ? [event[0], dataOf(event[1])] : ['message', dataOf(event)]));

const vectors = (read('answers.json') as Vector[]).filter(({ lines }) => !lines);

describe('an answer', () => {
  test.each(vectors.filter(({ body }) => body === undefined))('$name', (vector) => {
    const answer = new Answer();
    const seen: Record<string, unknown> = { text: '' };
    for (const [name, data] of eventsOf(vector)) {
      try {
        seen['text'] += answer.see(name!, data!) ?? '';
      } catch (error) {
        seen['failed'] = (error as Error).message;
        break;
      }
      if (answer.isOver || name === 'end') break;
    }
    seen['text'] += answer.rest();
    const { text = '', failed, whole = false, truncated = false } = vector;
    expect({ ...seen, dialect: answer.dialect ?? 'unknown' }).toEqual({ text, dialect: named(vector.dialect), ...(failed && { failed }) });
    // An event `end` is a last word to whoever reads the stream, whatever it is of.
    if (!failed && vector.dialect !== 'langgraph') expect([answer.isWhole, answer.isTruncated]).toEqual([whole, truncated]);
  });
});

describe('the text of a stream', () => {
  test.each(vectors)('$name', async (vector) => {
    const text = vector.body ?? eventsOf(vector).map(([name, data]) => `event: ${name}\ndata: ${data}\n\n`).join('');
    const { over, failed, unread, truncated = false } = vector;
    // Where nothing follows, the body may stay open for ever.
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        if (!over && failed === undefined) controller.close();
        if (vector.body !== undefined && failed !== undefined) controller.close();
      },
    });
    const script = new Script(() => new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
    const answer = events('http://a.test/s', { fetch: script.fetch as typeof fetch, body: '{}' });
    let seen = '';
    let error: unknown;
    try {
      for await (const piece of answer.text()) seen += piece;
    } catch (thrown) {
      error = thrown;
    }
    expect([seen, answer.truncated]).toEqual([vector.text ?? '', truncated]);
    if (failed !== undefined) expect(error).toMatchObject({ code: 'event', message: failed });
    else if (unread) expect(error).toMatchObject({ code: 'text' });
    else expect(error).toBe(undefined);
    expect([script.asked.length, script.open]).toEqual([1, 0]);
  });
});

test.each(read('dialects.json').filter((vector: object) => 'first' in vector && !('request' in vector)))('known by its first event: $name', ({ first, dialect }) => {
  const answer = new Answer();
  answer.see('message', dataOf(first));
  expect(answer.dialect ?? 'unknown').toBe(dialect);
});

const of = (text: string, options = {}) =>
  events('http://a.test/s', {
    fetch: (async () => new Response(text, { headers: { 'Content-Type': 'text/event-stream' } })) as typeof fetch,
    body: '{}',
    ...options,
  });
const CUT_SHORT = 'data: {"choices":[{"delta":{"content":"Hel"},"finish_reason":null}]}\n\n';

test('an answer that ended before its last word is an error for who asks for it', async () => {
  const text = of(CUT_SHORT).text(undefined, { whole: true });
  expect(await text.next()).toEqual({ value: 'Hel' });
  await expect(text.next()).rejects.toMatchObject({ code: 'cut' });
  const mine = of(CUT_SHORT);
  const pick = ({ data }: { data: string }) => data.length.toString();
  for await (const piece of mine.text(pick)) expect(piece).toBe('62');
  expect(mine.truncated).toBe(true);
});

test('an own pick is not told that nothing was found', async () => {
  const answer = of('data: {"a":1}\n\n');
  expect(await answer.text(() => null).next()).toEqual({ done: true, value: undefined });
  expect(answer.truncated).toBe(false);
});

test('bare JSON with an error is one for every reader but EventSource, which follows the standard', async () => {
  await expect(of('{"error":{"message":"overloaded"}}').next()).rejects.toMatchObject({ code: 'event', message: 'overloaded' });
  await expect(of('{"error":{"message":"overloaded"}}', { body: null }).json().next()).rejects.toMatchObject({ code: 'event', message: 'overloaded' });
});

test('an answer whose last word has come is whole, though it may not be asked again', async () => {
  const anthropic = ['message_start', 'content_block_delta', 'message_stop'].map((type) => `event: ${type}\ndata: {"type":"${type}","delta":{"text":"Hi"}}\n\n`).join('');
  const chat = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: {"choices":[],"usage":{}}\n\n';
  for (const text of [anthropic, chat]) {
    for (const options of [{ body: null }, { body: '{}', headers: { 'Idempotency-Key': 'k' } }]) {
      const seen: string[] = [];
      for await (const piece of of(text, { ...options, retry: { attempts: 0 } }).text()) seen.push(piece);
      expect(seen).toEqual(['Hi']);
      let count = 0;
      for await (const _ of of(text, { ...options, retry: { attempts: 0 } })) count += 1;
      expect(count).toBe(text === chat ? 2 : 3);
    }
  }
  // One that begins anew on the same stream is not whole by the one before.
  const two = of(`${chat}data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}\n\n`, { body: null, retry: { attempts: 0 } });
  await expect((async () => { for await (const _ of two); })()).rejects.toMatchObject({ code: 'cut' });
});

test('with attempts: 0 the clean end of a body is the end for fetchEventSource, also of a Tidewire', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'end', TIDEWIRE));
  await fetchEventSource('http://a.test/s', { fetch: script.fetch as typeof fetch, retry: { attempts: 0 } });
  expect(script.asked).toHaveLength(1);
});

test('many events that are of no answer are not looked into', async () => {
  const text = Array.from({ length: 20 }, (_, at) => `data: ${at}\n\n`).join('');
  const late = `${text}data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n`;
  const raw = of(late, { body: null, retry: { attempts: 0 } });
  await expect((async () => { for await (const _ of raw); })()).rejects.toMatchObject({ code: 'cut' });
  // But for who reads the text.
  const seen: string[] = [];
  for await (const piece of of(late).text()) seen.push(piece);
  expect(seen).toEqual(['Hi']);
});

test('a stream that tells of ever more answers together takes no more memory for it', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => (collect(), process.memoryUsage().heapUsed);
  const answer = new Answer();
  const before = heap();
  for (let index = 0; index < 200_000; index += 1) answer.see('', `{"choices":[{"index":"${index}","text":"x"}]}`);
  expect((heap() - before) / 2 ** 20).toBeLessThan(4);
  expect(answer.dialect).toBe('openai-chat');
});
