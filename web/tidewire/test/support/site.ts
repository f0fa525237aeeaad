/** Real servers on the loopback, each of its own origin, with a `fetch` that is nobody's imitation. */

import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Site {
  origin: string;
  /** The requests that came, in order. */
  asked: IncomingMessage[];
}

/** Starts one, which stops with its test. */
export async function site(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Site> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

export const SSE = { 'Content-Type': 'text/event-stream' };

/** Answers with an event stream that breaks off after this text. */
export function cut(response: ServerResponse, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(200, { ...SSE, ...headers });
  response.write(text || ':\n', () => setTimeout(() => response.destroy(), 20));
}
