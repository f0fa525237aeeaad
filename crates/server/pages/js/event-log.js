/**
 * The events that are kept for the list: the last LIMIT, each with the beginning of its data. Data
 * only. However many and however large events come, this does not grow.
 */

export const LIMIT = 500;
/** An event may be megabytes long; the beginning is kept. */
const KEPT_CHARACTERS = 2_000;

/** @typedef {import('./watched.js').StreamEvent} StreamEvent */
/**
 * @typedef {object} Entry
 * @property {number} number the first event is 1
 * @property {Date} time
 * @property {string} type
 * @property {string} id
 * @property {string[]} topics
 * @property {string} data its beginning
 * @property {number} length of all its data
 */

export class EventLog {
  /** How many have come. */
  total = 0;
  /** A ring: event n stands at n modulo LIMIT. @type {Entry[]} */
  #ring = [];

  /**
   * @param {StreamEvent} event
   * @param {Date} time
   */
  add({ type, id, topics, data }, time) {
    this.total += 1;
    const kept = { type: beginning(type), id: beginning(id), topics, data: beginning(data) };
    this.#ring[this.total % LIMIT] = { number: this.total, time, length: data.length, ...kept };
  }

  /** How many are no longer kept. */
  get dropped() {
    return Math.max(this.total - LIMIT, 0);
  }

  /** Those kept that came after event `number`, oldest first. @param {number} number */
  after(number) {
    /** @type {Entry[]} */
    const entries = [];
    for (let next = Math.max(number, this.dropped) + 1; next <= this.total; next += 1) {
      entries.push(this.#ring[next % LIMIT]);
    }
    return entries;
  }

  clear() {
    this.total = 0;
    this.#ring = [];
  }
}

/** A copy: a slice would hold on to the whole text. @param {string} text */
function beginning(text) {
  return text.length > KEPT_CHARACTERS ? structuredClone(text.slice(0, KEPT_CHARACTERS)) : text;
}
