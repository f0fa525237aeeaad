/**
 * The publishing half of the console: one event or many by POST, and what the server says to it.
 */

import { eventsPath } from './addresses.js';
import { publishCommand } from './curl.js';
import { byId } from './notice.js';
import { request, RequestError } from './request.js';
import { currentToken, onToken } from './token.js';
import { currentTopics } from './topics.js';

const NDJSON = 'application/x-ndjson';

export class Publisher {
  #form = /** @type {HTMLFormElement} */ (byId('publish'));
  #many = /** @type {HTMLInputElement} */ (byId('publish-many'));
  #event = /** @type {HTMLInputElement} */ (byId('event'));
  #id = /** @type {HTMLInputElement} */ (byId('id'));
  #data = /** @type {HTMLTextAreaElement} */ (byId('data'));
  #bulk = /** @type {HTMLTextAreaElement} */ (byId('bulk'));
  #end = /** @type {HTMLInputElement} */ (byId('end'));
  #send = /** @type {HTMLButtonElement} */ (byId('send'));
  #result = byId('publish-result');
  #curl = byId('publish-curl');

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#publish();
    });
    for (const source of [this.#form, byId('topic')]) source.addEventListener('input', () => this.#draw());
    onToken(() => this.#draw());
    this.#draw();
  }

  /** What is to be sent, and where. */
  #order() {
    const topics = currentTopics();
    const end = this.#end.checked ? 'true' : '';
    if (this.#many.checked) return { path: eventsPath(topics, { end }), body: this.#bulk.value, type: NDJSON };
    const parameters = { event: this.#event.value, id: this.#id.value, end };
    return { path: eventsPath(topics, parameters), body: this.#data.value, type: undefined };
  }

  async #publish() {
    const { path, body, type } = this.#order();
    this.#send.disabled = true;
    try {
      const headers = type === undefined ? undefined : { 'Content-Type': type };
      const response = await request(path, { method: 'POST', headers, body });
      this.#show('accepted', `${response.status} ${await response.text()}`);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#show('refused', error.describe());
    } finally {
      this.#send.disabled = false;
    }
  }

  /**
   * @param {'accepted' | 'refused'} outcome
   * @param {string} text
   */
  #show(outcome, text) {
    this.#result.dataset.outcome = outcome;
    this.#result.textContent = text;
  }

  #draw() {
    byId('one-event').hidden = this.#many.checked;
    byId('many-events').hidden = !this.#many.checked;
    const { path, body, type } = this.#order();
    const token = currentToken() !== '';
    this.#curl.textContent = publishCommand(location.origin + path, body, { type, token });
  }
}
