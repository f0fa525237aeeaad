/**
 * One question and its answer: asks through the relay, reads the answer by its name, stops it.
 *
 * The answer is never read from the response to the question: that one only says the name. So a reload, a shared link and a
 * connection that was cut all take the one way that the first reading takes.
 */

import { ClientStream } from '../client-stream.js';
import { said } from './delta.js';
import { Pace } from './pace.js';

/**
 * @typedef {'asking' | 'thinking' | 'typing' | 'done' | 'cut' | 'stopped' | 'interrupted' | 'failed' | 'refused' | 'gone'} Phase
 * @typedef {import('./kept.js').Kept} Kept
 */

const ASK = '/v1/chat/completions';
const NAME = /^\/relay\/([a-z2-7]{26})$/;
/** When an answer is read that had begun before, what comes so soon was there already. */
const CATCH_UP_MS = 300;
/** @type {Record<string, Phase>} */
const ENDS = { stopped: 'stopped', interrupted: 'interrupted' };
const OVER = new Set(['done', 'cut', 'stopped', 'interrupted', 'failed', 'refused', 'gone']);

export class Conversation {
  /** @type {Phase} */
  phase = 'asking';
  /** What the server or the upstream says about a failure. */
  why = '';
  text = '';
  /** Calls of tools. */
  tool = '';
  pace = new Pace();
  isStopping = false;
  kept;

  #onText;
  #onEvent;
  #onChange;
  #retryMs;
  /** How the answer is read, once it has a name. @type {ClientStream | null} */
  connection = null;
  #abort = new AbortController();
  /** When the question was asked; null if the answer had begun before. @type {number | null} */
  #askedAt = null;
  /** Until when what comes was there already. */
  #caughtUpAt = 0;

  /**
   * @param {Kept} kept
   * @param {object} options
   * @param {(text: string) => void} options.onText more of the text
   * @param {() => void} options.onEvent an event came, whatever it says
   * @param {() => void} options.onChange anything else
   * @param {() => number} options.retryMs
   */
  constructor(kept, { onText, onEvent, onChange, retryMs }) {
    this.kept = kept;
    this.#onText = onText;
    this.#onEvent = onEvent;
    this.#onChange = onChange;
    this.#retryMs = retryMs;
    if (kept.stream) this.#read(kept.stream, 0);
    else void this.#ask();
  }

  get isOver() {
    return OVER.has(this.phase);
  }

  /** Whether the connection is lost, and tried again. */
  get isAway() {
    return !this.isOver && ['waiting', 'reconnecting'].includes(this.connection?.phase ?? '');
  }

  /** Stops the answer, for everybody who reads it. */
  async stop() {
    if (!this.kept.stream) {
      this.#abort.abort();
      this.#end('stopped');
      return;
    }
    this.isStopping = true;
    this.#onChange();
    // A browser has few connections for a server: this one may be needed to say stop.
    const cursor = this.connection?.cursor ?? '';
    this.connection?.close();
    try {
      await fetch(`/relay/${this.kept.stream}`, { method: 'DELETE' });
    } catch {
      // Not reached: the reading below tells what is the matter.
    }
    this.isStopping = false;
    if (!this.isOver) this.#read(this.kept.stream, CATCH_UP_MS, cursor);
    this.#onChange();
  }

  async #ask() {
    this.#askedAt = performance.now();
    const { prompt, model, key } = this.kept;
    const body = { model, stream: true, messages: [{ role: 'user', content: prompt }] };
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    const { signal } = this.#abort;
    let response;
    try {
      response = await fetch(ASK, { method: 'POST', headers, body: JSON.stringify(body), signal });
    } catch {
      if (!this.isOver) this.#end('refused', '');
      return;
    }
    const [, stream] = NAME.exec(response.headers.get('Tidewire-Stream') ?? '') ?? [];
    if (!response.ok || !stream) {
      this.#end('refused', await reason(response));
      return;
    }
    this.kept.stream = stream;
    this.#read(stream, 0);
    this.#onChange();
  }

  /**
   * @param {string} stream
   * @param {number} catchUpMs
   * @param {string} [cursor]
   */
  #read(stream, catchUpMs, cursor = '') {
    if (this.phase === 'asking') this.phase = 'thinking';
    this.#caughtUpAt = this.#askedAt === null ? Infinity : 0;
    const connection = new ClientStream({
      path: `/relay/${stream}`,
      lastEventId: cursor,
      retryMs: this.#retryMs,
      onEvent: (event) => this.#heard(event),
      onChange: () => this.#moved(connection, catchUpMs),
    });
    this.connection = connection;
  }

  /**
   * @param {ClientStream} connection
   * @param {number} catchUpMs
   */
  #moved(connection, catchUpMs) {
    if (connection.phase === 'open') {
      const isFirst = this.#askedAt !== null && connection.reconnects === 0 && catchUpMs === 0;
      this.#caughtUpAt = isFirst ? 0 : performance.now() + CATCH_UP_MS;
    }
    // The response to the question has said what it had to: its place is free for another.
    if (connection.phase !== 'connecting') this.#abort.abort();
    const { closure } = connection;
    if (closure?.kind === 'ended' && !this.isOver) this.#end('done');
    if (closure?.kind === 'refused') {
      const isGone = closure.status === 404 || closure.status === 410;
      this.#end(isGone ? 'gone' : 'refused', isGone ? '' : closure.detail);
    }
    this.#onChange();
  }

  /** @param {import('../watched.js').StreamEvent} event */
  #heard(event) {
    const { text, tool, error, isCut } = said(event);
    this.#onEvent();
    if (error) {
      this.#end(ENDS[error.code] ?? 'failed', error.message);
      return;
    }
    this.tool += tool;
    this.text += text;
    if (text) this.#onText(text);
    if (text || tool) this.#token();
    if (isCut) this.#end('cut');
  }

  #token() {
    const now = performance.now();
    if (now < this.#caughtUpAt) {
      if (this.phase === 'thinking') this.phase = 'typing';
      return;
    }
    if (this.#askedAt !== null) this.kept.firstMs ??= now - this.#askedAt;
    this.pace.add(now);
    if (this.phase === 'thinking') this.phase = 'typing';
    this.#onChange();
  }

  /**
   * @param {Phase} phase
   * @param {string} [why]
   */
  #end(phase, why = '') {
    if (this.isOver) return;
    this.phase = phase;
    this.why = why;
    this.#onChange();
  }
}

/** What a refusal says: an upstream's error, or a problem of the server. @param {Response} response */
async function reason(response) {
  const text = await response.text().catch(() => '');
  try {
    const { error, title, detail } = JSON.parse(text);
    return `${response.status} ${error?.message ?? [title, detail].filter(Boolean).join(': ')}`;
  } catch {
    return `${response.status} ${text.slice(0, 500)}`;
  }
}
