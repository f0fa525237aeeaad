/**
 * The publishing half of the console: one event by POST, and what the server says to it.
 */

import { eventsPath } from './addresses.js';
import { publishCommand } from './curl.js';
import { byId } from './notice.js';
import { request, RequestError } from './request.js';

export class Publisher {
  #form = /** @type {HTMLFormElement} */ (byId('publish'));
  #topic = /** @type {HTMLInputElement} */ (byId('topic'));
  #event = /** @type {HTMLInputElement} */ (byId('event'));
  #id = /** @type {HTMLInputElement} */ (byId('id'));
  #data = /** @type {HTMLTextAreaElement} */ (byId('data'));
  #end = /** @type {HTMLInputElement} */ (byId('end'));
  #send = /** @type {HTMLButtonElement} */ (byId('send'));
  #result = byId('publish-result');
  #curl = byId('publish-curl');

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#publish();
    });
    for (const source of [this.#form, this.#topic]) {
      source.addEventListener('input', () => this.#drawCurl());
    }
    this.#drawCurl();
  }

  #path() {
    return eventsPath(this.#topic.value, {
      event: this.#event.value,
      id: this.#id.value,
      end: this.#end.checked ? 'true' : '',
    });
  }

  async #publish() {
    this.#send.disabled = true;
    try {
      const response = await request(this.#path(), { method: 'POST', body: this.#data.value });
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

  #drawCurl() {
    this.#curl.textContent = publishCommand(location.origin + this.#path(), this.#data.value);
  }
}
