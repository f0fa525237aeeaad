/**
 * The subscribing half of the console: one stream, by our client or by EventSource, and what comes of it.
 */

import { BrowserStream } from './browser-stream.js';
import { ClientStream } from './client-stream.js';
import { EventList } from './event-list.js';
import { oncePerFrame } from './frame.js';
import { GAP_EVENT, parseGap } from './gap.js';
import { onLanguage } from './i18n.js';
import { Meters } from './meters.js';
import { byId } from './notice.js';
import { Room } from './room.js';
import { SubscriberView } from './subscriber-view.js';
import { SubscriptionForm } from './subscription-form.js';

/** @typedef {import('./watched.js').StreamEvent} StreamEvent */
/** @typedef {import('./subscription-form.js').Ask} Ask */

const ALWAYS_LISTENED = ['message', 'delta', 'end', GAP_EVENT];

export class Subscriber {
  #form;
  #view;
  #events = new EventList();
  #room;
  #meters = new Meters({ rate: byId('rate'), intervals: byId('intervals'), journal: byId('journal') });
  #retryMs;
  /** @type {BrowserStream | ClientStream | null} */
  #connection = null;
  /** @type {import('./gap.js').Gap | null} */
  #gap = null;
  /** Events may come by the thousand; what is said about them is drawn once a frame. */
  #drawSoon = oncePerFrame(() => this.#draw());

  /** @param {{ retryMs: () => number }} options */
  constructor({ retryMs }) {
    this.#retryMs = retryMs;
    this.#room = new Room({ retryMs });
    this.#form = new SubscriptionForm({
      onConnect: () => this.#connect(),
      onNames: () => this.#listen(),
    });
    this.#view = new SubscriberView({ retryMs, onDisconnect: () => this.#connection?.close() });
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** Shows a topic from its first kept event on. @param {string} topic */
  show(topic) {
    this.#form.fill(topic);
    this.#connect();
  }

  /** Lets what depends on the time move on. */
  tick() {
    this.#draw();
    this.#room.tick();
  }

  #connect() {
    this.#connection?.close();
    this.#gap = null;
    const ask = this.#form.ask();
    this.#connection = ask.transport === 'client' ? this.#byClient(ask) : this.#byEventSource(ask);
    this.#meters.clear();
    byId('live').hidden = false;
    this.#room.follow(ask.topics);
    this.#events.follow(ask.topics, ask.transport === 'client');
    this.#draw();
  }

  /** @param {Ask} ask */
  #byEventSource(ask) {
    return new BrowserStream({
      address: (cursor) => ask.address(cursor),
      cursor: ask.start,
      names: [...ALWAYS_LISTENED, ...this.#form.names()],
      onEvent: (event) => this.#receive(event),
      onChange: () => this.#draw(),
    });
  }

  /** @param {Ask} ask */
  #byClient(ask) {
    return new ClientStream({
      ...ask.request(),
      retryMs: this.#retryMs,
      onEvent: (event) => this.#receive(event),
      onChange: () => this.#draw(),
    });
  }

  /** Names can be added while connected; EventSource takes listeners at any time. */
  #listen() {
    for (const name of this.#form.names()) this.#connection?.listen(name);
  }

  /** @param {StreamEvent} event */
  #receive(event) {
    if (event.type === GAP_EVENT) this.#gap = parseGap(event.data);
    this.#events.add(event);
    this.#meters.add();
    this.#drawSoon();
  }

  #draw() {
    this.#view.draw(this.#connection, this.#gap, this.#form.transport);
    this.#meters.draw(this.#connection);
  }
}
