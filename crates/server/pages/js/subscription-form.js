/**
 * The form of a subscription: what is to be read, how, and the same as a curl command.
 */

import { eventsPath } from './addresses.js';
import { subscribeCommand } from './curl.js';
import { onLanguage } from './i18n.js';
import { byId } from './notice.js';
import { authorization, currentToken, onToken } from './token.js';
import { currentTopics } from './topics.js';

/** @typedef {'client' | 'eventsource'} Transport */

/** What the form asked for when it was submitted. */
export class Ask {
  /**
   * @param {Transport} transport
   * @param {string[]} topics
   * @param {string} start an event id, `earliest`, or empty for live
   * @param {string} name for the room, or empty
   */
  constructor(transport, topics, start, name) {
    this.transport = transport;
    this.topics = topics;
    this.start = start;
    this.name = name;
  }

  /** The address for EventSource. @param {string} cursor */
  address(cursor) {
    return eventsPath(this.topics, { last_event_id: cursor, as: this.name, access_token: currentToken() });
  }

  /**
   * The request for the client. The body stays what it is; a reconnection says in its header where we are.
   */
  request() {
    return {
      path: '/subscribe',
      method: 'POST',
      headers: () => ({ 'Content-Type': 'application/json', ...authorization() }),
      // Primed: a connection that is lost before its first event can go on, too. The body says it, so no parameter has to.
      body: JSON.stringify({ ...this.body(), prime: true }),
      prime: false,
    };
  }

  body() {
    return {
      topics: this.topics,
      show: 'topic',
      last_event_id: this.start || undefined,
      as: this.name || undefined,
    };
  }
}

export class SubscriptionForm {
  #form = /** @type {HTMLFormElement} */ (byId('subscribe'));
  #byClient = /** @type {HTMLInputElement} */ (byId('by-client'));
  #start = /** @type {HTMLInputElement} */ (byId('start'));
  #as = /** @type {HTMLInputElement} */ (byId('as'));
  #names = /** @type {HTMLInputElement} */ (byId('names'));
  #curl = byId('subscribe-curl');

  /** @param {{ onConnect: () => void, onNames: () => void }} handlers */
  constructor({ onConnect, onNames }) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      onConnect();
    });
    this.#names.addEventListener('change', onNames);
    // The topics stand outside of the form, and their events do not pass through it.
    for (const source of [this.#form, byId('topic')]) source.addEventListener('input', () => this.#draw());
    onToken(() => this.#draw());
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** What is asked for now. */
  ask() {
    return new Ask(this.transport, currentTopics(), this.#start.value.trim(), this.#as.value.trim());
  }

  /** Names that EventSource is to listen for. */
  names() {
    const names = this.#names.value.split(',').map((name) => name.trim());
    return names.filter((name) => name !== '');
  }

  /** Fills the form for a topic from its first kept event on. @param {string} topic */
  fill(topic) {
    const topics = /** @type {HTMLTextAreaElement} */ (byId('topic'));
    topics.value = topic;
    this.#start.value = 'earliest';
    topics.dispatchEvent(new Event('input'));
  }

  /** @returns {Transport} */
  get transport() {
    return this.#byClient.checked ? 'client' : 'eventsource';
  }

  #draw() {
    const ask = this.ask();
    const byClient = ask.transport === 'client';
    byId('names-field').hidden = byClient;
    byId('token-in-address').hidden = byClient;
    const token = currentToken() !== '';
    this.#curl.textContent = byClient
      ? subscribeCommand(`${location.origin}/subscribe`, { json: JSON.stringify(ask.body()), token })
      : subscribeCommand(location.origin + this.#plainAddress(ask), { token });
  }

  /** Without the token, which curl sends as a header. @param {Ask} ask */
  #plainAddress(ask) {
    return eventsPath(ask.topics, { last_event_id: ask.start, as: ask.name });
  }
}
