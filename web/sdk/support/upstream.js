/**
 * A provider on the loopback: says what `provider.js` has it say, notes what it was asked, and sees when its client goes.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from './provider.js';

/** As a body comes that is cut anywhere: in a character too. */
const ODD_PIECE = 7;

/** A request as it came. */
export class Call {
  /** The client has gone before the answer's end. */
  hasLost = false;
  isOver = false;

  /** @param {import('node:http').IncomingMessage} request @param {string} body */
  constructor(request, body) {
    this.path = request.url ?? '';
    this.headers = request.headers;
    this.body = body && JSON.parse(body);
    /** Who asks: tests give each client a key of its own. */
    this.key = String(request.headers['x-api-key'] ?? request.headers.authorization?.replace('Bearer ', ''));
  }
}

export class Upstream {
  /** @type {Call[]} */
  calls = [];
  #server = createServer((request, response) => void this.#take(request, response));

  static async start() {
    const upstream = new Upstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    return upstream;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  /** What this client asked this model. @param {string} key @param {string} model */
  callsOf(key, model) {
    return this.calls.filter((call) => call.key === key && call.body.model === model);
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const call = new Call(request, Buffer.concat(parts).toString());
    const attempt = this.callsOf(call.key, call.body.model).length;
    this.calls.push(call);
    response.on('close', () => {
      call.isOver = true;
      call.hasLost = !response.writableFinished;
    });
    const said = answer(call.path, call.body, attempt);
    response.setHeader('x-request-id', `req-${call.body.model}`);
    if ('json' in said) {
      response.writeHead(said.status, { 'Content-Type': 'application/json', ...said.headers });
      response.end(JSON.stringify(said.json));
      return;
    }
    await stream(response, said);
  }
}

/** @param {import('node:http').ServerResponse} response @param {import('./provider.js').Streamed} said */
async function stream(response, { steps, odd }) {
  response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  for (const step of steps) {
    if (response.destroyed) return;
    if ('wait' in step) await sleep(step.wait);
    else if ('die' in step) response.destroy();
    else if (odd) await oddly(response, block(step).replaceAll('\n', '\r\n'));
    else response.write(block(step));
  }
  response.end();
}

function block({ event, id, data }) {
  const lines = [...(id ? [': own', `id: ${id}`] : []), ...(event ? [`event: ${event}`] : []), `data: ${data}`];
  return `${lines.join('\n')}\n\n`;
}

async function oddly(response, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += ODD_PIECE) {
    response.write(bytes.subarray(at, at + ODD_PIECE));
    await new Promise(setImmediate);
  }
}
