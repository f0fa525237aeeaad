/** What a subscription does when things go wrong, with a scripted server and a clock that does not wait. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StreamOptions } from '../src/options.ts';
import type { Message } from '../src/parser.ts';
import { follow } from '../src/follow.ts';
import { Script, TIDEWIRE, refuse, stream } from './support/script.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Follows to its end, as fast as the clock can be turned. */
async function read(script: Script, options: StreamOptions = {}, input: string | Request = 'http://a/s') {
  const seen: Message[] = [];
  const errors: unknown[] = [];
  const waits: number[] = [];
  const stop = new AbortController();
  let outcome: unknown = 'running';
  const full: StreamOptions = { fetch: script.fetch as typeof fetch, onretry: (_, wait) => waits.push(wait), ...options };
  full.retry = { random: () => 0, ...options.retry };
  void follow(input, full, { message: (message) => void seen.push(message), failed: (error) => void errors.push(error) }, stop.signal).then(
    () => (outcome = 'ended'),
    (error: unknown) => (outcome = error),
  );
  const turn = async (ms = 100_000) => {
    await vi.advanceTimersByTimeAsync(ms);
    return { outcome, data: seen.map(({ data }) => data), seen, errors, waits, script };
  };
  return { turn, stop };
}

const cursors = (script: Script) => script.asked.map(({ headers }) => headers.get('Last-Event-ID'));

test('204 stops', async () => {
  const { turn } = await read(new Script(stream('data: 1\n\n'), refuse(204)), { end: false });
  expect(await turn()).toMatchObject({ outcome: 'ended', data: ['1'] });
});

test('resumes after the last id, whether the body ended or broke, and repeats nothing', async () => {
  const script = new Script(stream('id: a\ndata: 1\n\ndata: half', 'break'), stream('id: b\ndata: 2\n\n'), refuse(204));
  const { outcome, data } = await (await read(script)).turn();
  expect({ outcome, data, cursors: cursors(script) }).toEqual({ outcome: 'ended', data: ['1', '2'], cursors: [null, 'a', 'b'] });
  expect(script.mostOpen).toBe(1);
});

test('an id goes out as the bytes of its UTF-8, and an empty one takes it back', async () => {
  const script = new Script(stream('id: 你🌊\ndata: 1\n\n'), stream('id\ndata: 2\n\n'), refuse(204));
  await (await read(script)).turn();
  const sent = cursors(script)[1]!;
  expect(Buffer.from(sent, 'latin1').toString('utf8')).toBe('你🌊');
  expect(cursors(script)[2]).toBe(null);
});

test('an id without data is a cursor too', async () => {
  const script = new Script(stream('id: primed\n\n', 'break'), refuse(204));
  await (await read(script)).turn();
  expect(cursors(script)).toEqual([null, 'primed']);
});

test('retry is the floor of all waits, also of zero', async () => {
  const script = new Script(stream('retry: 5000\ndata: 1\n\n'), stream('retry: 0\ndata: 2\n\n'), refuse(204));
  expect(await (await read(script)).turn()).toMatchObject({ waits: [5000, 100] });
});

test('waits grow while nothing comes, and begin anew after progress', async () => {
  const script = new Script(new TypeError('x'), new TypeError('x'), new TypeError('x'), stream('data: 1\n\n', 'break'), refuse(204));
  const { waits, errors } = await (await read(script, { retry: { random: () => 1 } })).turn();
  expect(waits).toEqual([2000, 4000, 8000, 2000]);
  expect(errors).toMatchObject([{ code: 'network' }, { code: 'network' }, { code: 'network' }, { code: 'cut' }]);
});

test('a server that opens and cuts at once is not stormed', async () => {
  const script = new Script(stream('', 'end'));
  const { turn } = await read(script, { end: false, retry: { random: () => 1 } });
  const { waits } = await turn(600_000);
  expect(waits.slice(0, 6)).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

test('passing statuses are tried again, Retry-After is kept', async () => {
  const script = new Script(refuse(503, { 'Retry-After': '60' }), refuse(502), stream('data: 1\n\n'), refuse(204));
  const { outcome, data, waits } = await (await read(script)).turn();
  expect({ outcome, data, waits: waits.slice(0, 2) }).toEqual({ outcome: 'ended', data: ['1'], waits: [60_000, 2000] });
});

test.each([400, 401, 403, 404, 410, 501])('%i is final, and says why', async (status) => {
  const script = new Script(refuse(status, {}, '{"detail":"why"}'));
  const { outcome } = await (await read(script)).turn();
  expect(outcome).toMatchObject({ code: 'status', status, body: '{"detail":"why"}' });
  expect(script.asked).toHaveLength(1);
});

test('a refusal without end is read no further than a beginning', async () => {
  const endless = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(10_000).fill(97)) }), { status: 404 });
  const { outcome } = await (await read(new Script(endless))).turn();
  expect((outcome as { body: string }).body).toHaveLength(16_384);
  const silent = () => new Response(new ReadableStream(), { status: 404 });
  expect(await (await read(new Script(silent))).turn()).toMatchObject({ outcome: { status: 404, body: '' } });
});

test('what is no event stream is refused', async () => {
  const html = () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } });
  expect(await (await read(new Script(html))).turn()).toMatchObject({ outcome: { code: 'type', body: '<html>' } });
  const near = () => new Response('', { headers: { 'Content-Type': 'text/event-streams' } });
  expect(await (await read(new Script(near))).turn()).toMatchObject({ outcome: { code: 'type' } });
});

test('a trouble that passes says why as well', async () => {
  const errors: unknown[] = [];
  const script = new Script(refuse(503, {}, 'draining'), refuse(204));
  const { outcome } = await (await read(script, { onretry: (error) => errors.push(error) })).turn();
  expect(outcome).toBe('ended');
  expect(errors).toMatchObject([{ code: 'status', status: 503, body: 'draining' }]);
});

test('each opening is told, and the bytes that come', async () => {
  const told: unknown[] = [];
  const script = new Script(stream(': hi\n\n', 'break', TIDEWIRE), refuse(503), stream('data: 你\n\n'), refuse(204));
  const onconnect = ({ headers }: Response) => told.push(headers.get('Tidewire-Resume'));
  await (await read(script, { end: false, onconnect, onbytes: (count) => told.push(count) })).turn();
  expect(told).toEqual(['live', 6, null, 11]);
});

test('an answer that does not come in time is none: a GET asks again, a POST does not', async () => {
  for (const [method, outcome, times] of [['GET', 'ended', 2], ['POST', { code: 'network' }, 1]] as const) {
    for (const [openTimeout, ms] of [[undefined, 60_000], [5000, 5000]] as const) {
      const never = ({ signal }: { signal: AbortSignal }) =>
        new Promise<Response>((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)));
      const script = new Script(never, refuse(204));
      const { turn } = await read(script, { method, openTimeout });
      expect(await turn(ms - 1000), method).toMatchObject({ outcome: 'running' });
      expect(await turn(), method).toMatchObject({ outcome });
      expect(script.asked, method).toHaveLength(times);
    }
  }
  const login = () => new Promise<HeadersInit>((done) => setTimeout(done, 600_000, {}));
  expect(await (await read(new Script(stream('data: [DONE]\n\n')), { headers: login })).turn(700_000)).toMatchObject({ outcome: 'ended', errors: [] });
  const patient = new Script(() => new Promise(() => {}));
  expect(await (await read(patient, { openTimeout: 0 })).turn(1e9)).toMatchObject({ outcome: 'running' });
  expect(patient.asked).toHaveLength(1);
});

test('headers that come after their attempt is over start no clock', async () => {
  const stop = new AbortController();
  const headers = () => new Promise<HeadersInit>((done) => setTimeout(done, 1000, {}));
  const script = new Script(refuse(204));
  void follow('http://a/s', { fetch: script.fetch as typeof fetch, headers }, { message() {} }, stop.signal);
  await vi.advanceTimersByTimeAsync(10);
  stop.abort();
  await vi.advanceTimersByTimeAsync(2000);
  expect(vi.getTimerCount()).toBe(0);
});

test('a stream that opened in time may then be silent for longer', async () => {
  const script = new Script(stream('data: 1\n\n', 'stay'));
  expect(await (await read(script, { openTimeout: 5000 })).turn()).toMatchObject({ outcome: 'running', data: ['1'] });
  expect(script.asked).toHaveLength(1);
});

test('so many attempts as may fail in a row', async () => {
  const script = new Script(new TypeError('x'));
  const { outcome } = await (await read(script, { retry: { attempts: 3 } })).turn();
  expect(outcome).toMatchObject({ code: 'network' });
  expect(script.asked).toHaveLength(4);
});

test('what is no request fails at once', async () => {
  for (const options of [{ method: 'GET', body: 'x' }, { headers: { 'X-A': 'a\nb' } }, { method: 'TRACE' }]) {
    const script = new Script(refuse(204));
    const { outcome } = await (await read(script, options)).turn();
    expect(outcome, JSON.stringify(options)).toMatchObject({ code: expect.stringMatching('request') });
    expect(script.asked).toHaveLength(0);
  }
});

test('a POST that has opened is not sent again', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'break'));
  const { outcome, data } = await (await read(script, { method: 'POST', body: '{}' })).turn();
  expect({ outcome, data }).toMatchObject({ outcome: { code: 'cut' }, data: ['1'] });
  expect(script.asked).toHaveLength(1);
});

test('nor one of which nobody knows what became of it', async () => {
  for (const answer of [new TypeError('x'), refuse(500), refuse(502), refuse(504)]) {
    const script = new Script(answer);
    expect((await (await read(script, { body: '{}' })).turn()).outcome).toBeInstanceOf(Error);
    expect(script.asked).toMatchObject([{ method: 'POST' }]);
  }
});

test('one that was not carried out is sent again', async () => {
  const script = new Script(refuse(429), refuse(503), stream('data: [DONE]\n\n'));
  expect(await (await read(script, { body: '{}' })).turn()).toMatchObject({ outcome: 'ended', data: ['[DONE]'] });
  expect(script.asked.map(({ body }) => body)).toEqual(['{}', '{}', '{}']);
});

test('a POST is repeated for a server that resumes it, with a key, or if the caller says so', async () => {
  const cases: [StreamOptions, Record<string, string>][] = [
    [{}, TIDEWIRE],
    [{ headers: { 'Idempotency-Key': 'k' } }, {}],
    [{ repeat: true }, {}],
  ];
  for (const [options, headers] of cases) {
    const script = new Script(stream('id: 1\ndata: 1\n\n', 'break', headers), stream('data: [DONE]\n\n'));
    const { outcome, data } = await (await read(script, { body: '{}', ...options })).turn();
    expect({ outcome, data }).toEqual({ outcome: 'ended', data: ['1', '[DONE]'] });
    expect(script.asked).toMatchObject([{ method: 'POST' }, { method: 'POST' }]);
    expect(cursors(script)).toEqual([null, '1']);
  }
});

test('an answer with a name is read by its name, and the question not asked again', async () => {
  const script = new Script(
    stream('id: x.1\ndata: 1\n\n', 'break', { ...TIDEWIRE, 'Tidewire-Stream': '/relay/x' }),
    refuse(502),
    stream('id: x.2\ndata: 2\n\n', 'end', TIDEWIRE),
    refuse(204),
  );
  const headers = { Authorization: 'Bearer t', 'Content-Type': 'application/json' };
  const { outcome, data } = await (await read(script, { body: '{}', headers }, 'http://a/v1/chat')).turn();
  expect({ outcome, data }).toEqual({ outcome: 'ended', data: ['1', '2'] });
  expect(script.asked.map(({ method, url, body }) => [method, url, body])).toEqual([
    ['POST', 'http://a/v1/chat', '{}'],
    ['GET', 'http://a/relay/x', undefined],
    ['GET', 'http://a/relay/x', undefined],
    ['GET', 'http://a/relay/x', undefined],
  ]);
  expect(script.asked[1]!.headers.get('Authorization')).toBe('Bearer t');
  expect(script.asked[1]!.headers.get('Content-Type')).toBe(null);
});

test('a name on another origin gets none of our headers', async () => {
  const script = new Script(stream('data: 1\n\n', 'break', { 'Tidewire-Stream': 'http://evil/relay/x' }), refuse(204));
  expect(await (await read(script, { body: '{}' })).turn()).toMatchObject({ outcome: { code: 'cut' } });
  expect(script.asked.map(({ url }) => url)).toEqual(['http://a/s']);
});

test('a body that ends without an end event is a cut', async () => {
  const script = new Script(stream('data: 1\n\n'), stream('event: end\ndata: {}\n\n'));
  expect(await (await read(script)).turn()).toMatchObject({ outcome: 'ended', data: ['1', '{}'] });
  expect(script.asked).toHaveLength(2);
});

test('an end event in the midst of a stream ends nothing', async () => {
  const script = new Script(stream('event: end\ndata: of the match\n\ndata: more\n\n'), refuse(204));
  await (await read(script)).turn();
  expect(script.asked).toHaveLength(2);
});

test('the end of a body can be the end of its stream, if the caller says so', async () => {
  const script = new Script(stream('data: 1\n\n'));
  expect(await (await read(script, { end: 'eof' })).turn()).toMatchObject({ outcome: 'ended' });
  const mine = new Script(stream('data: 1\n\n'), stream('data: bye\n\n'));
  expect(await (await read(mine, { end: ({ data }) => data === 'bye' })).turn()).toMatchObject({ outcome: 'ended', data: ['1', 'bye'] });
});

test('a Tidewire that ends a body is asked at once whether anything is left; to a POST it says nothing', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'end', TIDEWIRE), stream('', 'end', TIDEWIRE));
  const { outcome, waits } = await (await read(script, { body: '{}' })).turn();
  expect({ outcome, waits, cursors: cursors(script) }).toEqual({ outcome: 'ended', waits: [0], cursors: [null, '1'] });
});

test('asks for a primed cursor if it may, once it knows its server, and not when it has one', async () => {
  const script = new Script(stream('', 'break', TIDEWIRE), stream('id: 1\n\n', 'break', TIDEWIRE), refuse(204));
  await (await read(script, {}, 'http://a/s?x=%20y#z')).turn();
  expect(script.asked.map(({ url }) => url)).toEqual(['http://a/s?x=%20y#z', 'http://a/s?x=%20y&prime=1', 'http://a/s?x=%20y#z']);
  for (const [prime, url] of [[true, 'http://a/s?prime=1'], [false, 'http://a/s']] as const) {
    const one = new Script(refuse(204));
    await (await read(one, { prime })).turn();
    expect(one.asked[0]!.url).toBe(url);
  }
});

test('headers are asked for before each attempt', async () => {
  let count = 0;
  const script = new Script(refuse(503), stream('data: 1\n\n'), refuse(204));
  await (await read(script, { headers: async () => ({ Authorization: `Bearer ${(count += 1)}` }) })).turn();
  expect(script.asked.map(({ headers }) => headers.get('Authorization'))).toEqual(['Bearer 1', 'Bearer 2', 'Bearer 3']);
});

test('silence longer than three heartbeats is a cut', async () => {
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'stay', TIDEWIRE), refuse(204));
  const { turn } = await read(script);
  await turn(44_000);
  expect(script.asked).toHaveLength(1);
  expect(await turn(60_000)).toMatchObject({ outcome: 'ended', errors: [{ code: 'idle' }] });
  expect(script.mostOpen).toBe(1);
});

test('silence is nothing where no heartbeats are announced, unless the caller sets a time', async () => {
  const script = new Script(stream('data: 1\n\n', 'stay'));
  expect(await (await read(script)).turn(1e9)).toMatchObject({ outcome: 'running' });
  const set = new Script(stream('data: 1\n\n', 'stay'), refuse(204));
  expect(await (await read(set, { idleTimeout: 500 })).turn(3000)).toMatchObject({ errors: [{ code: 'idle' }], outcome: 'ended' });
  const off = new Script(stream('data: 1\n\n', 'stay', TIDEWIRE));
  expect(await (await read(off, { idleTimeout: 0 })).turn(1e9)).toMatchObject({ outcome: 'running' });
});

test('gaps are told, the server\'s and our own', async () => {
  const gaps: unknown[] = [];
  const gap = 'id: ~e-7\nevent: tidewire.gap\ndata: {"requested":"~e-1","resumed_after":"~e-7","reason":"expired"}\n\n';
  const script = new Script(stream(`${gap}id: 8\ndata: 123456\n\nid: 9\ndata: 1\n\n`), refuse(204));
  await (await read(script, { ongap: (gap) => gaps.push(gap), limits: { maxEvent: 5 } })).turn();
  // The notice itself is over the limit here; it is lost as a gap, too.
  expect(gaps).toMatchObject([{ reason: 'overlong' }, { reason: 'overlong', resumedAfter: '' }]);
  const whole = new Script(stream(gap), refuse(204));
  gaps.length = 0;
  await (await read(whole, { ongap: (gap) => gaps.push(gap) })).turn();
  expect(gaps).toEqual([{ reason: 'expired', requested: '~e-1', resumedAfter: '~e-7' }]);
});

test('abort settles, whatever it waits for, even for a fetch that hears nothing', async () => {
  const never = new Promise<never>(() => {});
  const deaf = Object.assign(new Script(), { fetch: () => never });
  const silent = Object.assign(new Script(), { fetch: async () => stream('data: 1\n\n', 'stay')() });
  const cases: [Script, StreamOptions][] = [
    [new Script(refuse(503)), {}],
    [new Script(stream('data: 1\n\n', 'stay')), {}],
    [new Script(refuse(204)), { headers: () => never }],
    [deaf, {}],
    [silent, {}],
  ];
  for (const [script, options] of cases) {
    const { turn, stop } = await read(script, options);
    expect(await turn(10)).toMatchObject({ outcome: 'running' });
    stop.abort();
    expect(await turn(0)).toMatchObject({ outcome: 'ended' });
    expect(vi.getTimerCount()).toBe(0);
  }
});

test('reads no further than its caller has taken, and does not take that for silence', async () => {
  let pulled = 0;
  const source = () =>
    new Response(
      new ReadableStream(
        { pull: (controller) => controller.enqueue(new TextEncoder().encode(`id: ${(pulled += 1)}\ndata: x\n\n`)) },
        { highWaterMark: 0 },
      ),
      { headers: { 'Content-Type': 'text/event-stream', ...TIDEWIRE } },
    );
  const stop = new AbortController();
  const done = follow('http://a/s', { fetch: async () => source() }, { message: () => new Promise(() => {}) }, stop.signal);
  await vi.advanceTimersByTimeAsync(1e6);
  expect(pulled).toBe(1);
  stop.abort();
  void done;
});

test('a Request can be given, with its own method, body and headers', async () => {
  const bodies: string[] = [];
  const script = new Script(refuse(503), stream('data: [DONE]\n\n'));
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    bodies.push(await (input as Request).clone().text());
    return script.fetch(input, init);
  };
  const request = new Request('http://a/s', { method: 'POST', body: 'hi', headers: { 'X-A': '1' } });
  await (await read(script, { fetch: fetch as typeof globalThis.fetch }, request)).turn();
  expect(bodies).toEqual(['hi', 'hi']);
  expect(script.asked[1]).toMatchObject({ method: 'POST', url: 'http://a/s' });
  expect(script.asked[1]!.headers.get('X-A')).toBe('1');
});

test('a clock that is set does not change how long it waits, or what is silence', async () => {
  const hour = 3_600_000;
  const set = (by: number) => vi.setSystemTime(Date.now() + by);
  for (const by of [hour, -hour]) {
    const script = new Script(refuse(503), stream('data: 1\n\n', 'stay', TIDEWIRE), refuse(204));
    const { turn } = await read(script);
    await turn(500);
    set(by);
    await turn(490);
    expect(script.asked).toHaveLength(1);
    await turn(20);
    expect(script.asked).toHaveLength(2);
    set(by);
    expect(await turn(44_000), `${by}`).toMatchObject({ outcome: 'running', errors: [{ code: 'status' }] });
    expect(await turn(20_000), `${by}`).toMatchObject({ outcome: 'ended', errors: [{ code: 'status' }, { code: 'idle' }] });
  }
});

test('what code of the caller throws ends it, and is thrown; nothing is asked again', async () => {
  const gap = 'event: tidewire.gap\ndata: {}\n\n';
  for (const name of ['onconnect', 'onbytes', 'oncomment', 'ongap', 'end'] as const) {
    const script = new Script(stream(`: hi\n${gap}data: 1\n\n`, 'stay'));
    const bug = () => {
      throw new TypeError('a bug of the page');
    };
    const { outcome } = await (await read(script, { [name]: bug })).turn();
    expect([name, outcome]).toMatchObject([name, { message: 'a bug of the page' }]);
    expect([script.asked.length, script.open], name).toEqual([1, 0]);
  }
});

test('headers that cannot be made are a trouble that passes', async () => {
  let count = 0;
  const headers = () => ((count += 1) === 1 ? Promise.reject(new Error('no network for a token')) : Promise.resolve({}));
  const script = new Script(stream('data: [DONE]\n\n'));
  expect(await (await read(script, { body: '{}', headers })).turn()).toMatchObject({ outcome: 'ended', errors: [{ message: 'no network for a token' }] });
});

test('after a 401, headers that a function makes are made once more, at once; a second one in a row is final', async () => {
  for (const body of [null, '{}']) {
    let count = 0;
    const headers = () => ({ Authorization: `Bearer ${(count += 1)}` });
    const script = new Script(refuse(401), stream('id: 1\ndata: 1\n\n', 'break', TIDEWIRE), refuse(401), refuse(401, {}, 'who are you?'));
    const { outcome, waits } = await (await read(script, { body, headers })).turn();
    expect(outcome).toMatchObject({ code: 'status', status: 401, body: 'who are you?' });
    expect(script.asked.map(({ headers }) => headers.get('Authorization'))).toEqual(['Bearer 1', 'Bearer 2', 'Bearer 3', 'Bearer 4']);
    expect(waits).toEqual([0, 1000, 0]);
  }
  for (const options of [{ headers: { Authorization: 'Bearer 1' } }, { headers: () => ({}), retry: { attempts: 0 } }]) {
    const script = new Script(refuse(401));
    expect((await (await read(script, options)).turn()).outcome).toMatchObject({ status: 401 });
    expect(script.asked).toHaveLength(1);
  }
});

test('a status of success is a stream, but one that says that there is no whole body; for EventSource it is 200', async () => {
  for (const [status, any, strict] of [[200, true, true], [201, true, false], [202, true, false], [203, true, false], [205, false, false], [206, false, false], [226, true, false]] as const) {
    for (const only200 of [false, true]) {
      const script = new Script(() => new Response(status === 205 ? null : 'data: [DONE]\n\n', { status, headers: { 'Content-Type': 'text/event-stream' } }), refuse(204));
      const data: string[] = [];
      const outcome = await follow('http://a/s', { fetch: script.fetch as typeof fetch }, { only200, message: (message) => void data.push(message.data) }, new AbortController().signal).catch((error: unknown) => error);
      if (only200 ? strict : any) expect([status, data, outcome]).toEqual([status, ['[DONE]'], undefined]);
      else expect(outcome, `${status}`).toMatchObject({ code: 'status', status });
      expect(script.asked).toHaveLength(1);
    }
  }
});

test('a type that comes twice is read as browsers read it', async () => {
  const twice = (...types: string[]) => () => {
    const headers = new Headers();
    for (const type of types) headers.append('Content-Type', type);
    return new Response('data: [DONE]\n\n', { headers });
  };
  expect(await (await read(new Script(twice('application/json', 'text/event-stream')))).turn()).toMatchObject({ outcome: 'ended', data: ['[DONE]'] });
  expect(await (await read(new Script(twice('text/event-stream', 'text/html')))).turn()).toMatchObject({ outcome: { code: 'type' } });
});

describe('a server of another origin that lets no page send the cursor', () => {
  beforeEach(() => void vi.stubGlobal('location', { origin: 'http://page.test' }));
  afterEach(() => void vi.unstubAllGlobals());

  const GAP_DATA = '{"reason":"cors","requested":"1","resumed_after":""}';
  /** Answers as a browser does: what needs the header fails, unless it is allowed. */
  const picky = (...streams: string[]) =>
    new Script(({ headers }) => {
      if (headers.has('Last-Event-ID')) throw new TypeError('Failed to fetch');
      const text = streams.shift();
      return text === undefined ? refuse(204)() : stream(text, 'break')();
    });

  test('is asked once without it, after two attempts, and the gap is told', async () => {
    const script = picky('id: 1\ndata: 1\n\n', 'data: 2\n\n');
    const gaps: unknown[] = [];
    const { outcome, data } = await (await read(script, { ongap: (gap) => gaps.push(gap) })).turn();
    expect({ outcome, data }).toEqual({ outcome: 'ended', data: ['1', GAP_DATA, '2'] });
    expect(cursors(script)).toEqual([null, '1', '1', null, null]);
    expect(gaps).toEqual([{ reason: 'cors', requested: '1', resumedAfter: '' }]);
  });

  test('a cursor that is there from the beginning goes with the first request', async () => {
    const script = new Script(refuse(204));
    expect(await (await read(script, { lastEventId: '7' })).turn()).toMatchObject({ outcome: 'ended' });
    expect(cursors(script)).toEqual(['7']);
  });

  test('a line that worked before keeps its cursor, however long it is down', async () => {
    const down = new TypeError('Failed to fetch');
    const script = new Script(stream('id: 1\ndata: 1\n\n', 'break'), refuse(503), down, down, down, down, refuse(204));
    await (await read(script)).turn(1e6);
    expect(cursors(script).slice(1)).toEqual(['1', '1', '1', '1', '1', '1']);
  });

  test('so do a Tidewire, a POST, a page of the same origin, one without network, and a program without a page', async () => {
    const down = new TypeError('Failed to fetch');
    const answers = (headers = {}) => [stream('id: 1\ndata: 1\n\n', 'break', headers), down, down, down, refuse(204)] as const;
    const cases: [Script, StreamOptions, (() => void)?][] = [
      [new Script(...answers(TIDEWIRE)), {}],
      [new Script(...answers()), { body: '{}', repeat: true }],
      [new Script(...answers()), {}, () => vi.stubGlobal('location', { origin: 'http://a' })],
      [new Script(...answers()), {}, () => vi.stubGlobal('navigator', { onLine: false })],
      [new Script(...answers()), {}, () => vi.stubGlobal('location', undefined)],
    ];
    for (const [script, options, prepare] of cases) {
      prepare?.();
      await (await read(script, options)).turn(1e6);
      expect(cursors(script)).toEqual([null, '1', '1', '1', '1']);
    }
  });

  test('a server that is gone is asked with the cursor again', async () => {
    const down = new TypeError('Failed to fetch');
    const script = new Script(stream('id: 1\ndata: 1\n\n', 'break'), down, down, down, down, down, refuse(204));
    await (await read(script)).turn(1e6);
    expect(cursors(script)).toEqual([null, '1', '1', null, '1', '1', null]);
  });
});
