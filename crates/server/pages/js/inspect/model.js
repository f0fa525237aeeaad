/**
 * What the tap tells of its streams, and what follows from it. Data in, data out: no document, no network, no clock.
 */

/** @typedef {[name: string, value: string | null][]} Headers null: left out, as it is a secret */
/**
 * @typedef {object} Counts
 * @property {number} chunks
 * @property {number} bytes
 * @property {number} events
 * @property {number} comments
 * @property {number} retries
 * @property {number} missed bytes
 * @property {number} longest_gap
 * @property {number | null} retry
 * @property {number} last_at
 */
/**
 * A stream; times in milliseconds, those of the body since its head.
 * @typedef {object} Stream
 * @property {number} id
 * @property {'events' | 'lines' | 'other'} form
 * @property {number} time of the request, since 1970
 * @property {{ method: string, url: string, headers: Headers }} request
 * @property {{ after: number, version: string, status: number, headers: Headers }} response
 * @property {string | null} came_with
 * @property {string} last_event_id
 * @property {Counts} counts
 * @property {'end' | 'cut' | 'left' | null} ending null: it is open
 * @property {number | null} ended_at
 * @property {string | null} why
 * @property {boolean} is_full
 */
/**
 * Something that came in a stream.
 * @typedef {object} Item
 * @property {number} n
 * @property {number} at
 * @property {number} chunk
 * @property {number | null} gap
 * @property {'event' | 'line' | 'comment' | 'retry' | 'fault'} kind
 * @property {string} [type]
 * @property {string | null} [id]
 * @property {string} [data] its beginning
 * @property {number} [size]
 * @property {number} [millis]
 * @property {string} [code]
 */
/** @typedef {{ n: number, at: number, size: number, text?: string, base64?: string }} Chunk */
/**
 * @typedef {object} Update
 * @property {number} passed
 * @property {number[]} ids
 * @property {Stream[]} streams
 * @property {Item[]} items
 * @property {Chunk[]} chunks
 * @property {number} lost
 */
/** Streams of one method and path: a reader that comes again, or several. @typedef {{ key: string, streams: Stream[] }} Group */

/** What streams are grouped by: the method and the path, without its query. @param {Stream} stream */
export function groupKey({ request: { method, url } }) {
  const path = url.replace(/^\w+:\/\/[^/]*/, '').replace(/\?.*$/s, '');
  return `${method} ${path || '/'}`;
}

/**
 * The group that had news last comes first; in a group, the oldest stream does.
 * @param {Iterable<Stream>} streams oldest first
 * @returns {Group[]}
 */
export function groups(streams) {
  /** @type {Map<string, Stream[]>} */
  const found = new Map();
  for (const stream of streams) {
    const key = groupKey(stream);
    const before = found.get(key) ?? [];
    found.delete(key);
    found.set(key, [...before, stream]);
  }
  return [...found].map(([key, streams]) => ({ key, streams })).reverse();
}

/** When the head came, since 1970. @param {Stream} stream */
export function openedAt(stream) {
  return stream.time + stream.response.after;
}

/** When it was over, since 1970; or the time now. @param {Stream} stream @param {number} now */
export function overAt(stream, now) {
  return stream.ended_at === null ? Math.max(now, openedAt(stream)) : openedAt(stream) + stream.ended_at;
}

/** Is the answer a stream at all? @param {Stream} stream */
export function isStream(stream) {
  return stream.form !== 'other';
}

/** A header of the answer. @param {Stream} stream @param {string} name in lower case */
export function answered({ response }, name) {
  return response.headers.find(([candidate]) => candidate === name)?.[1] ?? null;
}

/**
 * Did a reader come back with what it had? Compared with the stream before it in its group, if that was over by then:
 * else they are two readers.
 * @param {Group} group
 * @param {Stream} stream
 * @returns {{ kind: 'right' | 'none' | 'other' | 'noIds', time: number, id: string, came: string } | null}
 */
export function resumption({ streams }, stream) {
  const before = streams[streams.indexOf(stream) - 1];
  if (!before || before.ending === null || !isStream(before)) return null;
  const time = stream.time - overAt(before, 0);
  if (time < 0) return null;
  // A stream without ids of its own was resumed with the id that it came with.
  const id = before.last_event_id || before.came_with || '';
  const came = stream.came_with ?? '';
  if (id === '' && came === '') return { kind: 'noIds', time, id, came };
  if (came === '') return { kind: 'none', time, id, came };
  return { kind: came === id ? 'right' : 'other', time, id, came };
}

/** @typedef {{ kind: string, search: string }} Filter kind: '' for everything, or `type:NAME` */

/** Does an item pass? @param {Item} item @param {Filter} filter */
export function passes(item, { kind, search }) {
  const isEvent = item.kind === 'event' || item.kind === 'line';
  if (kind === 'events' && !isEvent) return false;
  if (kind.startsWith('type:') && !(item.kind === 'event' && item.type === kind.slice(5))) return false;
  if (!['', 'events'].includes(kind) && !kind.startsWith('type:') && item.kind !== kind) return false;
  if (search === '') return true;
  const wanted = search.toLowerCase();
  return [item.type, item.id, item.data].some((text) => text?.toLowerCase().includes(wanted));
}
