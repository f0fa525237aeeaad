/**
 * The live feed of the inspector, for one stream at a time. The browser's EventSource comes again by itself; the first
 * update of each connection is the whole state.
 */

/**
 * @typedef {object} Handlers
 * @property {() => void} onBegin what was told before is told again
 * @property {(update: import('./model.js').Update) => void} onUpdate
 * @property {(isAway: boolean) => void} onAway
 */

export class Feed {
  #handlers;
  /** @type {EventSource | null} */
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
    const source = new EventSource(`/api/feed?${query}`);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#handlers.onBegin();
      this.#handlers.onAway(false);
    });
    source.addEventListener('message', ({ data }) => this.#handlers.onUpdate(JSON.parse(data)));
    source.addEventListener('error', () => {
      this.#handlers.onAway(true);
      // Refused for good, as a server does that is starting: EventSource gives up, we do not.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#again(source, stream, raw), 2_000);
    });
  }

  /** @param {EventSource} source @param {number | null} stream @param {boolean} raw */
  #again(source, stream, raw) {
    if (this.#source === source) this.follow(stream, raw);
  }
}
