/** The official MCP SDK in JavaScript, over Streamable HTTP. */

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

async function* callTool({ base, headers, leave }) {
  const client = new Client({ name: 'matrix', version: '1' });
  /** The SDK does not wait for it, and `close` would take it back. @type {Promise<unknown> | undefined} */
  let cancelled;
  const noting = (url, init) => {
    const asked = fetch(url, init);
    if (String(init?.body).includes('notifications/cancelled')) cancelled = asked.catch(() => {});
    return asked;
  };
  const transport = new StreamableHTTPClientTransport(new URL(`${base}/mcp`), { requestInit: { headers }, fetch: noting });
  const abort = new AbortController();
  const told = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    told.push(params.data);
    // A program that has enough cancels its call.
    if (leave && params.data.includes('tok5')) abort.abort('enough');
  });
  try {
    await client.connect(transport);
    const result = await client.callTool({ name: 'talk', arguments: {} }, undefined, { signal: abort.signal });
    yield* told;
    yield result;
  } catch (error) {
    if (leave) {
      // Sent after the cancellation, so that by then there is one to wait for.
      await client.ping();
      await cancelled;
    }
    yield* told;
    throw error;
  } finally {
    await client.close();
  }
}

export default { 'mcp-js call': callTool };
