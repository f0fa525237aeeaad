/** The shared worker: a hub, and a port for each tab. One worker is one connection (its name says which). */

import { Hub } from './hub.js';
import { type Connection, type News, type Wish, concerns } from './protocol.js';

const tabs = new Map<string, { port: MessagePort; topics: Set<string> }>();
let hub: Hub | undefined;

function tell(news: News, to?: string): void {
  for (const [tab, { port, topics }] of tabs) {
    if (to !== undefined && to !== tab) continue;
    if (news.kind !== 'message' || concerns(topics, news.message)) port.postMessage(news);
  }
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [port] }) => {
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<Wish & { connection: Connection; isLeaving?: boolean }>) => {
    const { tab, topics, connection, isLeaving } = data;
    hub ??= new Hub(connection, '', tell);
    if (isLeaving) {
      tabs.delete(tab);
      hub.leave(tab);
      return;
    }
    tabs.set(tab, { port, topics: new Set(topics) });
    // A tab that is gone without a word is gone from the hub by its lock, and from here with its port.
    hub.wish({ tab, topics });
  };
};
