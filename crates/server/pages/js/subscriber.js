/**
 * The subscribing half of the console: one plain EventSource and what it shows of itself.
 */

import { eventsPath } from './addresses.js';
import { Connection } from './connection.js';
import { subscribeCommand } from './curl.js';
import { EventList } from './event-list.js';
import { explainGap, GAP_EVENT, gapPosition, parseGap } from './gap.js';
import { onLanguage, t } from './i18n.js';
import { byId, drawNotices } from './notice.js';
import { StateView } from './state-view.js';

/** @typedef {import('./notice.js').Notice} Notice */
/** @typedef {import('./connection.js').StreamEvent} StreamEvent */

const ALWAYS_LISTENED = ['message', 'delta', 'end', GAP_EVENT];
const READY_STATES = ['CONNECTING', 'OPEN', 'CLOSED'];

export class Subscriber {
  #topic = /** @type {HTMLInputElement} */ (byId('topic'));
  #start = /** @type {HTMLInputElement} */ (byId('start'));
  #names = /** @type {HTMLInputElement} */ (byId('names'));
  #disconnect = /** @type {HTMLButtonElement} */ (byId('disconnect'));
  #curl = byId('subscribe-curl');
  #notices = byId('console-notices');
  #lastId = byId('console-last-id');
  #reconnects = byId('console-reconnects');
  #retry = byId('retry');
  #readyState = new StateView(byId('ready-state'));
  #events = new EventList();
  #retryMs;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {import('./gap.js').Gap | null} */
  #gap = null;

  /** @param {{ retryMs: () => number }} options */
  constructor({ retryMs }) {
    this.#retryMs = retryMs;
    byId('subscribe').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#connect();
    });
    this.#disconnect.addEventListener('click', () => this.#connection?.close());
    this.#names.addEventListener('change', () => this.#listen());
    for (const input of [this.#topic, this.#start]) {
      input.addEventListener('input', () => this.#drawCurl());
    }
    onLanguage(() => this.#draw());
    this.#drawCurl();
    this.#draw();
  }

  /** Shows a topic from its first kept event on. @param {string} topic */
  show(topic) {
    this.#topic.value = topic;
    this.#start.value = 'earliest';
    this.#topic.dispatchEvent(new Event('input'));
    this.#connect();
  }

  /** Lets what depends on the time move on. */
  tick() {
    this.#draw();
  }

  #connect() {
    this.#connection?.close();
    this.#gap = null;
    const topic = this.#topic.value;
    this.#connection = new Connection({
      address: (cursor) => eventsPath(topic, { last_event_id: cursor }),
      cursor: this.#start.value.trim(),
      names: [...ALWAYS_LISTENED, ...this.#wantedNames()],
      retryMs: this.#retryMs(),
      persistent: false,
      onEvent: (event) => this.#receive(event),
      onChange: () => this.#draw(),
    });
    this.#draw();
  }

  /** Names can be added while connected; EventSource takes listeners at any time. */
  #listen() {
    for (const name of this.#wantedNames()) this.#connection?.listen(name);
  }

  #wantedNames() {
    return this.#names.value
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    if (event.type === GAP_EVENT) this.#gap = parseGap(event.data);
    this.#events.add(event);
    this.#draw();
  }

  #draw() {
    const connection = this.#connection;
    const readyState = connection?.readyState ?? EventSource.CLOSED;
    const word = connection ? `${readyState} ${READY_STATES[readyState]}` : t('phase.idle');
    this.#readyState.draw(connection?.phase ?? 'idle', connection?.since ?? null, word);
    this.#disconnect.disabled = !connection || connection.phase === 'closed';
    this.#lastId.textContent = connection?.cursor || t('fact.none');
    this.#reconnects.textContent = connection ? String(connection.reconnects) : t('fact.none');
    this.#retry.textContent = this.#retryText();
    drawNotices(this.#notices, this.#currentNotices());
  }

  #retryText() {
    const announced = t('retry.announced', { ms: this.#retryMs() });
    const outage = this.#connection?.lastOutageMs ?? null;
    if (outage === null) return announced;
    return announced + t('retry.measured', { seconds: (outage / 1000).toFixed(1) });
  }

  #drawCurl() {
    const path = eventsPath(this.#topic.value, { last_event_id: this.#start.value.trim() });
    this.#curl.textContent = subscribeCommand(location.origin + path);
  }

  /** @returns {Notice[]} */
  #currentNotices() {
    /** @type {Notice[]} */
    const notices = [];
    if (this.#gap) {
      const lines = [explainGap(this.#gap)];
      notices.push({ kind: 'gap', title: t('gap.title'), lines, wire: gapPosition(this.#gap) });
    }
    const closure = this.#connection?.closure;
    if (closure?.kind === 'ended') {
      notices.push({ kind: 'ended', title: t('ended.title'), lines: [t('ended.text')] });
    } else if (closure?.kind === 'refused') {
      const line = t('refused.text', { status: String(closure.status), detail: closure.detail });
      notices.push({ kind: 'refused', title: t('refused.title'), lines: [line] });
    } else if (closure?.kind === 'passing') {
      notices.push({ kind: 'refused', title: t('refused.title'), lines: [t('refused.blocked')] });
    }
    return notices;
  }
}
