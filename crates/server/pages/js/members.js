/**
 * Who reads a topic, kept up to date from the events of `/presence`. Data only.
 *
 * Bound: the server lists at most 1,000 names, and we keep at most MAX_NAMES; who is not listed is
 * still counted.
 */

export const MAX_NAMES = 2_000;

/** @typedef {{ name: string, readers: number }} Member */

export class Members {
  /** How many read in all; null until the server has said so. @type {number | null} */
  readers = null;
  /** Does `list` hold every name? */
  complete = true;
  /** @type {Map<string, number>} */
  #names = new Map();

  /**
   * Takes one event; others than these three change nothing.
   * @param {string} type `presence`, `join` or `leave`
   * @param {string} data JSON
   */
  take(type, data) {
    const fields = parse(data);
    if (!fields || typeof fields.readers !== 'number') return;
    if (type === 'presence') this.#reset(fields);
    else if (type === 'join') this.#change(fields.name, 1);
    else if (type === 'leave') this.#change(fields.name, -1);
    else return;
    this.readers = fields.readers;
  }

  /** Those with a name, in order. @returns {Member[]} */
  get list() {
    const members = [...this.#names].map(([name, readers]) => ({ name, readers }));
    return members.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** How many gave no name; null if not every name is known. */
  get nameless() {
    if (!this.complete || this.readers === null) return null;
    let named = 0;
    for (const readers of this.#names.values()) named += readers;
    return Math.max(this.readers - named, 0);
  }

  /** @param {Record<string, unknown>} fields */
  #reset(fields) {
    const members = Array.isArray(fields.members) ? fields.members : [];
    this.#names = new Map();
    this.complete = !fields.more;
    for (const member of members.slice(0, MAX_NAMES)) {
      this.#names.set(String(member?.name), Number(member?.readers));
    }
  }

  /**
   * @param {unknown} name null: nobody known
   * @param {number} by
   */
  #change(name, by) {
    if (typeof name !== 'string') return;
    const readers = (this.#names.get(name) ?? 0) + by;
    if (readers <= 0) this.#names.delete(name);
    else if (this.#names.has(name) || this.#names.size < MAX_NAMES) this.#names.set(name, readers);
    else this.complete = false;
  }
}

/** @param {string} data @returns {Record<string, unknown> | null} */
function parse(data) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return null;
  }
}
