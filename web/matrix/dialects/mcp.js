/**
 * A server of the official MCP SDK over Streamable HTTP, with an event store: what was missed is asked for by `GET` with
 * `Last-Event-ID`. Its tool tells each token in a notification, and returns the text. One call is one call of the tool.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isMiddle, TEXT, TOKENS } from '../words.js';

const SLOW_MS = 3_000;
const RETRY_MS = 300;
/** What was sent is on its way before a connection is destroyed. */
const SENT_MS = 100;

/** Numbers as ids, so that order is not a matter of clocks. */
class Events {
  #events = [];

  async storeEvent(streamId, message) {
    return String(this.#events.push({ streamId, message }));
  }

  async getStreamIdForEventId(id) {
    return this.#events[Number(id) - 1]?.streamId;
  }

  async replayEventsAfter(id, { send }) {
    const { streamId } = this.#events[Number(id) - 1];
    for (const [index, event] of this.#events.entries()) {
      // A message without anything in it opens a stream, and is no message.
      const isMissed = index >= Number(id) && event.streamId === streamId && 'jsonrpc' in event.message;
      if (isMissed) await send(String(index + 1), event.message);
    }
    return streamId;
  }
}

/** What happens before the first token and in the middle, by the script of the run. */
const BEFORE = { slow: () => sleep(SLOW_MS) };
const MIDDLE = {
  pause: () => sleep(SLOW_MS),
  hold: () => sleep(SLOW_MS),
  early: ({ extra }) => extra.closeSSEStream(),
  dies: ({ response }) => sleep(SENT_MS).then(() => response.destroy()),
  error: () => Promise.reject(new Error('The tool failed.')),
};

async function serve(request, response, { run, call }) {
  const sessions = (run.sessions ??= new Map());
  const known = sessions.get(request.headers['mcp-session-id']);
  const body = call.body ? JSON.parse(call.body) : undefined;
  if (body?.method === 'tools/call') run.toolResponse = response;
  const transport = known ?? (await session(run, sessions));
  await transport.handleRequest(request, response, body);
}

async function session(run, sessions) {
  const server = new McpServer({ name: 'talker', version: '1' }, { capabilities: { logging: {} } });
  server.registerTool('talk', { description: 'Talks.' }, async (extra) => talk(server, run, extra));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: RETRY_MS,
    enableJsonResponse: run.variant === 'json',
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  await server.connect(transport);
  return transport;
}

async function talk(server, run, extra) {
  const call = run.take({ tokens: 0, isOver: false });
  try {
    await BEFORE[run.script]?.();
    for (const data of TOKENS) {
      if (extra.signal.aborted) break;
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
      call.tokens += 1;
      if (isMiddle(data)) await MIDDLE[run.script]?.({ extra, response: run.toolResponse });
    }
    return { content: [{ type: 'text', text: TEXT }] };
  } finally {
    call.isOver = true;
  }
}

export const mcp = { variants: ['mcp', 'json'], serve };
