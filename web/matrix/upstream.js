/**
 * The provider of the matrix: one server for all dialects. A run has a path of its own, `/{route}/{run}`; the driver says in
 * which dialect and by which script it is answered, and reads there how often it was called and how many tokens it wrote.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMiddle, isToken, TOKENS } from './words.js';

/** Longer than `commit_after` and two heartbeats of the relay under test. */
const SLOW_MS = 3_000;
/** How long an answer waits for its client to be gone: longer than the relay waits for a retry before the head, 3 s. */
const HOLD_MS = 5_000;
/** How long the first of two calls is held: longer than the relay waits for a client's own retry. */
const FIRST_MS = 4_500;
/** Longer than the 5 s that once followed a last word. */
const AFTER_LAST_WORD_MS = 6_500;

/** A request as it came, and what was written for it. */
class Call {
  tokens = 0;
  isOver = false;

  /** @param {import('node:http').IncomingMessage} request @param {string} body */
  constructor(request, body) {
    this.method = request.method;
    this.path = request.url;
    this.headers = request.headers;
    this.body = body;
  }
}

/** One run of one client in one cell. */
export class Run {
  /** @type {{ tokens: number, isOver: boolean }[]} */
  calls = [];
  /** The first call has come. @type {Promise<void>} */
  called;
  #isCalled;

  /** @param {string} id @param {any} dialect @param {string} variant @param {string} script */
  constructor(id, dialect, variant, script) {
    Object.assign(this, { id, dialect, variant, script });
    this.called = new Promise((resolve) => (this.#isCalled = resolve));
  }

  /** Counts a call. @template {{ tokens: number, isOver: boolean }} T @param {T} call @returns {T} */
  take(call) {
    this.calls.push(call);
    this.#isCalled();
    return call;
  }

  get tokens() {
    return this.calls.reduce((sum, call) => sum + call.tokens, 0);
  }

  get isOver() {
    return this.calls.every((call) => call.isOver);
  }
}

export class Upstream {
  /** @type {Map<string, Run>} */
  #runs = new Map();
  #server = createServer((request, response) => void this.#take(request, response));

  static async start() {
    const upstream = new Upstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** @param {Run} run */
  expect(run) {
    this.#runs.set(run.id, run);
    return run;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request, response) {
    const run = this.#runs.get(request.url.split('/')[2]);
    if (!run) return response.writeHead(404).end();
    const parts = [];
    for await (const part of request) parts.push(part);
    const call = new Call(request, Buffer.concat(parts).toString());
    if (run.dialect.serve) return run.dialect.serve(request, response, { run, call });
    run.take(call);
    const nth = run.calls.length;
    response.on('close', () => (call.isOver = true));
    const write = (bytes) => {
      if (isToken(bytes)) call.tokens += 1;
      response.write(bytes);
    };
    const writeWhole = (bytes) => {
      call.tokens += TOKENS.length;
      response.end(bytes);
    };
    await SCRIPTS[run.script](run.dialect.answer(call, run), { response, write, writeWhole, nth });
  }
}

/** Until the client has gone, or for a time. */
const held = (response, ms) => Promise.race([once(response, 'close'), sleep(ms)]);

/**
 * How an answer goes. `answer` is what the dialect has to say: `head`, `pieces` (blocks or lines as they go over the wire; of
 * an answer that is no stream, one), `error` and `more` (what comes after the last word), `refusal`.
 */
const SCRIPTS = {
  whole: (answer, to) => steps(answer, to, {}),
  slow: (answer, to) => steps(answer, to, { before: () => sleep(SLOW_MS) }),
  'slow first': (answer, to) => steps(answer, to, { before: () => to.nth === 1 && held(to.response, FIRST_MS) }),
  pause: (answer, to) => steps(answer, to, { middle: () => sleep(SLOW_MS) }),
  hold: (answer, to) => steps(answer, to, { middle: () => held(to.response, HOLD_MS) }),
  early: (answer, to) => steps(answer, to, { middle: () => to.response.end() }),
  dies: (answer, to) => steps(answer, to, { middle: () => died(to.response) }),
  error: (answer, to) => steps(answer, to, { middle: () => to.response.end(answer.error) }),
  'goes on': (answer, to) => steps(answer, to, { after: () => goOn(answer, to) }),
  refused: (answer, to) => refuse(answer.refusal(400), to),
  busy: (answer, to) => (to.nth === 1 ? refuse(answer.refusal(429), to) : steps(answer, to, {})),
};

async function goOn({ more }, { write }) {
  await sleep(AFTER_LAST_WORD_MS);
  write(more);
}

async function steps(answer, { response, write, writeWhole }, { before, middle, after }) {
  await before?.();
  if (response.destroyed) return;
  response.writeHead(200, answer.head);
  if (answer.isWhole) return writeWhole(answer.pieces[0]);
  response.flushHeaders();
  for (const piece of answer.pieces) {
    write(piece);
    if (isMiddle(piece)) await middle?.();
    if (response.destroyed || response.writableEnded) return;
    // Each one in a piece of its own, as a model writes.
    await sleep(2);
  }
  await after?.();
  response.end();
}

/** What was written is let go first: a death is seen after it, not in its place. */
async function died(response) {
  await sleep(100);
  response.destroy();
}

function refuse({ status, body }, { response }) {
  const again = status === 429 ? { 'Retry-After': '1' } : {};
  response.writeHead(status, { 'Content-Type': 'application/json', 'x-request-id': 'req-refused', ...again });
  response.end(JSON.stringify(body));
}
