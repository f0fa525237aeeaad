/**
 * Without shared workers: the tab that holds the leader's lock reads for all, and tells them through a channel. When it
 * goes, the next one reads on after the last event that it has heard of.
 */

import { Hub } from './hub.js';
import type { Connection, News, Wish } from './protocol.js';

type Word = { kind: 'leader' } | { kind: 'wish'; wish: Wish } | { kind: 'leave'; tab: string } | { kind: 'news'; news: News; to?: string | undefined };

export class Leadership {
  readonly #channel: BroadcastChannel;
  readonly #gone = new AbortController();
  readonly #hear: (news: News) => void;
  #hub: Hub | undefined;
  #wish: Wish;
  #cursor = '';

  constructor(name: string, connection: Connection, wish: Wish, hear: (news: News) => void) {
    this.#wish = wish;
    this.#hear = hear;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => this.#listen(data);
    this.wish(wish.topics);
    const lead = () =>
      new Promise<void>((done) => {
        this.#hub = new Hub(connection, this.#cursor, (news, to) => this.#tell(news, to));
        this.#hub.wish(this.#wish);
        this.#say({ kind: 'leader' });
        this.#gone.signal.addEventListener('abort', () => done());
      });
    navigator.locks.request(name, { signal: this.#gone.signal }, lead).catch(() => {});
  }

  wish(topics: string[]): void {
    this.#wish = { ...this.#wish, topics };
    this.#hub?.wish(this.#wish);
    if (!this.#hub) this.#say({ kind: 'wish', wish: this.#wish });
  }

  close(): void {
    if (!this.#hub) this.#say({ kind: 'leave', tab: this.#wish.tab });
    this.#hub?.close();
    this.#gone.abort();
    this.#channel.close();
  }

  #say(word: Word): void {
    this.#channel.postMessage(word);
  }

  /** As the leader. */
  #tell(news: News, to?: string): void {
    if (to !== this.#wish.tab) this.#say({ kind: 'news', news, to });
    if (to === undefined || to === this.#wish.tab) this.#hear(news);
  }

  #listen(word: Word): void {
    if (word.kind === 'leader') this.#say({ kind: 'wish', wish: this.#wish });
    else if (word.kind === 'wish') this.#hub?.wish(word.wish);
    else if (word.kind === 'leave') this.#hub?.leave(word.tab);
    else if (word.to === undefined || word.to === this.#wish.tab) {
      // Also of topics that are not ours: it is where we would read on.
      if (word.news.kind === 'message') this.#cursor = word.news.message.lastEventId;
      if (word.news.kind === 'cursor') this.#cursor = word.news.cursor;
      this.#hear(word.news);
    }
  }
}
