/** The shared worker: a hub for each connection, and a port for each tab. */

import { Hub } from './hub.js';
import { type Connection, type News, type Wish, concerns } from './protocol.js';

interface Line {
  hub: Hub;
  tabs: Map<string, { port: MessagePort; topics: Set<string> }>;
}

/** Tabs that agree in all of their connection share one. */
const lines = new Map<string, Line>();

function lineOf(connection: Connection): Line {
  const name = JSON.stringify(connection);
  const known = lines.get(name);
  if (known) return known;
  const tabs: Line['tabs'] = new Map();
  const tell = (news: News, to?: string) => {
    for (const [tab, { port, topics }] of tabs) {
      if (to !== undefined && to !== tab) continue;
      if (news.kind !== 'message' || concerns(topics, news.message)) port.postMessage(news);
    }
  };
  const line = { hub: new Hub(connection, '', tell), tabs };
  lines.set(name, line);
  return line;
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [port] }) => {
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<Wish & { connection: Connection; isLeaving?: boolean }>) => {
    const { tab, topics, connection, isLeaving } = data;
    const { hub, tabs } = lineOf(connection);
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
