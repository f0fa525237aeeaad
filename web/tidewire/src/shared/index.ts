/**
 * One connection for all tabs of an origin, whatever topics each of them reads: HTTP/1.1 allows six connections, and
 * eight tabs want eight. It lives in a shared worker, or else in one of the tabs.
 *
 * A topic that is added joins the connection at its place: it begins with what was published since the last event that
 * the connection has read.
 */

import { StreamError } from '../error.js';
import { GAP } from '../gap.js';
import { StreamTarget, messageEvent } from '../target.js';
import { Leadership } from './leader.js';
import { type Connection, type News, concerns, lockOf } from './protocol.js';

export interface SharedOptions {
  /** What this tab reads; more can be added. */
  topics?: Iterable<string>;
  withCredentials?: boolean;
  /** The same for each attempt and all tabs. */
  headers?: Record<string, string>;
  /** Where the worker's script is (`tidewire/shared/worker`), if a bundler does not find it. */
  worker?: string | URL;
  /** Who reads. Unless set: a shared worker where there are any. */
  by?: 'worker' | 'leader';
}

/** Ids of events that were handed out, so that a change of the leader repeats none. */
const REMEMBERED = 1000;

export class SharedEventSource extends StreamTarget {
  readonly url: string;
  #state: 0 | 1 | 2 = 0;
  readonly #tab: string;
  readonly #topics: Set<string>;
  readonly #connection: Connection;
  readonly #options: SharedOptions;
  readonly #seen = new Set<string>();
  readonly #gone = new AbortController();
  #leadership: Leadership | undefined;
  #port: MessagePort | undefined;

  /**
   * @param url where all topics are: a Tidewire's `/events`
   * @throws `TypeError` tabs cannot find each other here: it takes a secure context (HTTPS, or localhost)
   */
  constructor(url: string | URL = '/events', options: SharedOptions = {}) {
    super();
    if (!globalThis.navigator?.locks) throw new TypeError('tidewire/shared needs Web Locks: a browser, and HTTPS or localhost');
    this.#tab = crypto.randomUUID();
    this.url = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
    this.#topics = new Set(options.topics);
    this.#options = options;
    this.#connection = { url: this.url, withCredentials: !!options.withCredentials, headers: options.headers ?? {} };
    // The lock says that this tab lives; only then it joins.
    const live = () =>
      new Promise<void>((done) => {
        this.#gone.signal.addEventListener('abort', () => done());
        this.#join();
      });
    navigator.locks.request(lockOf(this.#tab), { signal: this.#gone.signal }, live).catch(() => {});
    const back = (event: Event) => {
      if (!(event as PageTransitionEvent).persisted) return;
      const data = JSON.stringify({ reason: 'aside' });
      this.dispatchEvent(messageEvent({ event: GAP, data, lastEventId: '' }, ''));
      this.#wish();
    };
    globalThis.addEventListener?.('pageshow', back, { signal: this.#gone.signal });
  }

  get readyState(): 0 | 1 | 2 {
    return this.#state;
  }
  get topics(): string[] {
    return [...this.#topics];
  }

  add(...topics: string[]): void {
    for (const topic of topics) this.#topics.add(topic);
    this.#wish();
  }

  remove(...topics: string[]): void {
    for (const topic of topics) this.#topics.delete(topic);
    this.#wish();
  }

  /** Leaves; the connection stays for the others. */
  close(): void {
    this.#state = 2;
    this.#leadership?.close();
    this.#port?.postMessage({ tab: this.#tab, topics: [], connection: this.#connection, isLeaving: true });
    this.#gone.abort();
  }

  #join(): void {
    const name = `tidewire:${JSON.stringify(this.#connection)}`;
    const hear = (news: News) => this.#hear(news);
    const lead = () => {
      this.#port = undefined;
      if (this.#gone.signal.aborted) return;
      this.#leadership = new Leadership(name, this.#connection, { tab: this.#tab, topics: this.topics }, hear);
      this.#wish();
    };
    const { by = typeof SharedWorker === 'function' ? 'worker' : 'leader', worker } = this.#options;
    if (by === 'leader') return lead();
    try {
      // Bundlers find the script by this form only, with options that they can read.
      const shared = worker
        ? new SharedWorker(worker, { name: 'tidewire', type: 'module' })
        : new SharedWorker(new URL('./worker.js', import.meta.url), { name: 'tidewire', type: 'module' });
      // Its script is not there, or none may run: so it is for all tabs, and one of them reads.
      shared.onerror = lead;
      shared.port.onmessage = ({ data }: MessageEvent<News>) => hear(data);
      this.#port = shared.port;
      this.#wish();
    } catch {
      lead();
    }
  }

  #wish(): void {
    if (this.#gone.signal.aborted) return;
    // It may have been over for all topics that there were.
    if (this.#state === 2) this.#state = 0;
    this.#leadership?.wish(this.topics);
    this.#port?.postMessage({ tab: this.#tab, topics: this.topics, connection: this.#connection });
  }

  #hear(news: News): void {
    if (this.#gone.signal.aborted) return;
    if (news.kind === 'open') {
      this.#state = 1;
      this.dispatchEvent(new Event('open'));
    } else if (news.kind === 'error') {
      this.#state = news.isFinal ? 2 : 0;
      const error = news.text ? new StreamError(news.code ?? 'cut', news.text) : undefined;
      this.dispatchEvent(Object.assign(new Event('error'), { error }));
    } else if (news.kind === 'message' && concerns(this.#topics, news.message) && this.#isNew(news.message.id)) {
      this.dispatchEvent(messageEvent(news.message, news.origin));
    }
  }

  #isNew(id: string | undefined): boolean {
    if (!id) return true;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return true;
  }
}
