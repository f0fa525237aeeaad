/**
 * The live feed of the inspector, for one stream at a time. The first update of each connection is the whole state.
 */

import { events } from '../client.js';

/** When the inspector is asked again, at the latest. */
const AGAIN_MS = 2_000;

/**
 * @typedef {object} Handlers
 * @property {() => void} onBegin what was told before is told again
 * @property {(update: import('./model.js').Update) => void} onUpdate
 * @property {(isAway: boolean) => void} onAway
 */

export class Feed {
  #handlers;
  /** @type {import('../client.js').EventStream | null} */
  #source = null;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * @param {number | null} stream
   * @param {boolean} raw
   */
  follow(stream, raw) {
    this.#source?.close();
    const query = new URLSearchParams(stream === null ? {} : { stream: String(stream), raw: String(raw) });
    const source = events(`/api/feed?${query}`, {
      retry: { max: AGAIN_MS },
      onconnect: () => {
        if (this.#source !== source) return;
        this.#handlers.onBegin();
        this.#handlers.onAway(false);
      },
      onretry: () => this.#handlers.onAway(true),
    });
    this.#source = source;
    void this.#read(source, stream, raw);
  }

  /**
   * @param {import('../client.js').EventStream} source
   * @param {number | null} stream
   * @param {boolean} raw
   */
  async #read(source, stream, raw) {
    try {
      for await (const { data } of source) {
        if (this.#source === source) this.#handlers.onUpdate(JSON.parse(data));
      }
    } catch {
      // Refused for good, which an inspector on our own machine does not do for long.
      this.#handlers.onAway(true);
      setTimeout(() => this.#source === source && this.follow(stream, raw), AGAIN_MS);
    }
  }
}
