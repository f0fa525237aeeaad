/**
 * The one connection of all tabs: it reads the topics that any of them wants. When these change, it connects again after
 * the last event that it has read, so that nothing is lost; there is never more than one connection.
 */

import { StreamError } from '../error.js';
import { CONTENT_TYPE, JSON_TYPE, SHOW, TOPIC } from '../protocol.js';
import { follow } from '../follow.js';
import { type Connection, type News, type Wish, lockOf } from './protocol.js';

/** Tabs come in swarms, when a browser starts: their wishes are gathered for so long. */
const GATHER_MS = 30;
/** A longer address is sent as a POST. */
const MAX_URL = 2000;

export class Hub {
  readonly #connection: Connection;
  readonly #tell: (news: News, to?: string) => void;
  readonly #wishes = new Map<string, string[]>();
  #cursor: string;
  #reading = '';
  #isOpen = false;
  #isClosed = false;
  #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param tell news to all tabs, or to one */
  constructor(connection: Connection, cursor: string, tell: (news: News, to?: string) => void) {
    this.#connection = connection;
    this.#cursor = cursor;
    this.#tell = tell;
  }

  /** A tab comes, or wants other topics. */
  wish({ tab, topics }: Wish): void {
    if (!this.#wishes.has(tab)) {
      // The lock is ours once the tab is gone, also if it could not say so.
      void navigator.locks.request(lockOf(tab), { mode: 'shared' }, () => this.leave(tab));
      if (this.#cursor) this.#tell({ kind: 'cursor', cursor: this.#cursor }, tab);
      if (this.#isOpen) this.#tell({ kind: 'open' }, tab);
    }
    this.#wishes.set(tab, topics);
    this.#change();
  }

  leave(tab: string): void {
    if (this.#wishes.delete(tab)) this.#change();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #change(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#connect(), GATHER_MS);
  }

  #connect(): void {
    const topics = [...new Set([...this.#wishes.values()].flat())].sort();
    const reading = topics.join('\n');
    if (reading === this.#reading) return;
    this.#reading = reading;
    this.#isOpen = false;
    this.#stop.abort();
    if (topics.length === 0) return;
    const { signal } = (this.#stop = new AbortController());
    const { url, withCredentials, headers } = this.#connection;
    const query = new URLSearchParams([...topics.map((topic) => [TOPIC, topic]), [SHOW, TOPIC]]);
    const address = `${url}${url.includes('?') ? '&' : '?'}${query}`;
    const isLong = address.length > MAX_URL;
    const body = isLong ? JSON.stringify({ topics, [SHOW]: TOPIC }) : null;
    const over = (error?: unknown) => {
      if (signal.aborted) return;
      this.#reading = '';
      this.#isOpen = false;
      this.#tell(failure(error, true));
    };
    let { origin } = new URL(url);
    follow(
      isLong ? new URL('subscribe', url).href : address,
      {
        ...(isLong && { body, headers: { ...headers, [CONTENT_TYPE]: JSON_TYPE } }),
        ...(!isLong && { headers }),
        withCredentials,
        lastEventId: this.#cursor,
        prime: true,
        end: false,
      },
      {
        open: () => {
          this.#isOpen = true;
          this.#tell({ kind: 'open' });
        },
        message: (message) => {
          this.#cursor = message.lastEventId;
          this.#tell({ kind: 'message', message, origin });
        },
        moved: (cursor) => {
          this.#cursor = cursor;
          this.#tell({ kind: 'cursor', cursor });
        },
        failed: (error, isFinal) => {
          this.#isOpen = false;
          if (!isFinal) this.#tell(failure(error, false));
        },
      },
      signal,
    ).then(() => over(), over);
  }
}

function failure(error: unknown, isFinal: boolean): News {
  const code = error instanceof StreamError ? error.code : undefined;
  return { kind: 'error', isFinal, code, text: error === undefined ? '' : String(error) };
}
