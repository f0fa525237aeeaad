/**
 * An app as people build it with the AI SDK: pages, and a route that streams a model's answer to `useChat`. It knows nothing
 * of the relay before it. Pages are the files of `pages/`, each bundled into one script.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createOpenAI } from '@ai-sdk/openai';
import { convertToModelMessages, streamText } from 'ai';
import { build } from 'esbuild';

export class App {
  #server = createServer((request, response) => void this.#answer(request, response));
  #provider;
  /** Bundled pages by name. @type {Map<string, Promise<string>>} */
  #scripts = new Map();

  /** @param {string} provider its base URL */
  constructor(provider) {
    this.#provider = createOpenAI({ baseURL: provider, apiKey: 'app' });
  }

  /** @param {string} provider its base URL */
  static async start(provider) {
    const app = new App(provider);
    app.#server.listen(0, '127.0.0.1');
    await once(app.#server, 'listening');
    return app;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    const path = new URL(request.url, this.url).pathname.slice(1);
    if (request.method === 'POST' && path === 'api/chat') return this.#chat(request, response);
    const isScript = path.endsWith('.js');
    response.setHeader('Content-Type', isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8');
    if (isScript) return response.end(await this.#script(path.slice(0, -3)));
    return response.end(page(path));
  }

  /** The route of the AI SDK's documents, on Node's own server. */
  async #chat(request, response) {
    // As apps do: who is not logged in gets nothing.
    if (!/\buser=/.test(request.headers.cookie ?? '')) return response.writeHead(401).end();
    const parts = [];
    for await (const part of request) parts.push(part);
    const { messages } = JSON.parse(Buffer.concat(parts).toString());
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const result = streamText({
      model: this.#provider.chat('paced'),
      messages: await convertToModelMessages(messages),
      abortSignal: gone.signal,
    });
    const answer = result.toUIMessageStreamResponse();
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    await pipeline(Readable.fromWeb(answer.body), response).catch(() => {}); // its reader may have gone
  }

  #script(name) {
    if (!this.#scripts.has(name)) this.#scripts.set(name, bundle(name));
    return this.#scripts.get(name);
  }
}

/** Without an icon to ask for. @param {string} name */
const page = (name) =>
  `<!doctype html><title>${name}</title><link rel="icon" href="data:,"><main></main><script src="${name}.js"></script>`;

async function bundle(name) {
  const entry = fileURLToPath(new URL(`../pages/${name}.js`, import.meta.url));
  const define = { 'process.env.NODE_ENV': '"production"' };
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, define, charset: 'utf8' });
  return outputFiles[0].text;
}
