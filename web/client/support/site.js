/**
 * A site before a Tidewire: pages that have the package, and a proxy for everything else that can cut streams and counts
 * them. What a page does is a function of the test; the site only brings the package to it.
 */

import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** @type {Map<string, Promise<string>>} */
const scripts = new Map();

/** Has pages at `/page/{name}` run this program. @param {string} name @param {string} text */
export function provide(name, text) {
  scripts.set(`program/${name}`, Promise.resolve(text));
}

/** The package as one script, under the name by which pages import it, or a program. @param {string} name */
function script(name) {
  let text = scripts.get(name);
  if (!text) {
    const file = name.startsWith('program/') ? `../${name.replace('/', 's/')}.js` : `../../tidewire/src/${name}.ts`;
    const source = new URL(file, import.meta.url);
    const define = { 'process.env.NODE_ENV': '"development"' };
    text = build({ entryPoints: [fileURLToPath(source)], bundle: true, write: false, format: 'esm', target: 'es2022', define })
      .then(({ outputFiles }) => outputFiles[0].text);
    scripts.set(name, text);
  }
  return text;
}

/** @param {string | undefined} program one of `client/programs/` */
const page = (program) => `<!doctype html><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "tidewire": "/package/index.js", "tidewire/shared": "/package/shared/index.js" } }</script><main></main>
<script type="module">import * as tidewire from '/package/index.js'; Object.assign(window, { tidewire });</script>
${program ? `<script type="module" src="/package/program/${program}.js"></script>` : ''}`;

/** A stream that is open for so long beside another one has not been left. */
const LEAVING_MS = 1000;
/** Between the last byte and the cut. */
const CUT_DELAY_MS = 20;

export class Site {
  /** Requests that were passed on: `GET /events/a`. @type {string[]} */
  asked = [];
  /** The requests as they came. @type {import('node:http').IncomingMessage[]} */
  requests = [];
  /** Streams that are open now, and the most that ever were. */
  open = 0;
  mostOpen = 0;
  /** Called for each stream: after how many bytes of its body to cut it. */
  cutAfter = () => Infinity;
  /** Answers instead of the server behind; true: it did. */
  answer = (_request, _response) => false;
  #server = createServer((request, response) => void this.#respond(request, response));
  #behind;
  /** @type {Set<import('node:http').ServerResponse>} */
  #streams = new Set();

  /** @param {string} behind a server's URL */
  static async before(behind) {
    const site = new Site();
    site.#behind = behind;
    site.#server.listen(0, '127.0.0.1');
    await once(site.#server, 'listening');
    return site;
  }

  get port() {
    return this.#server.address().port;
  }
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }
  /** The same server under another name: another origin, and another site for cookies. */
  get otherUrl() {
    return `http://localhost:${this.port}`;
  }

  /** Breaks all streams. */
  cut() {
    for (const response of this.#streams) response.destroy();
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #respond(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const name = /^\/package\/(.*)\.js$/.exec(pathname)?.[1];
    if (name) return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(await script(name));
    if (pathname.startsWith('/page')) {
      const head = { 'Content-Type': 'text/html', 'Cache-Control': 'max-age=60' };
      return response.writeHead(200, head).end(page(/^\/page\/(\w+)$/.exec(pathname)?.[1]));
    }
    if (request.method !== 'OPTIONS') this.requests.push(request);
    this.asked.push(`${request.method} ${request.url}`);
    if (!this.answer(request, response)) this.#pass(request, response);
  }

  #pass(request, response) {
    const { hostname, port } = new URL(this.#behind);
    const { url: path, method, headers } = request;
    const far = ask({ hostname, port, path, method, headers: { ...headers, host: `${hostname}:${port}` }, agent: false });
    far.on('error', () => response.destroy());
    response.on('close', () => far.destroy());
    far.on('response', async (answer) => {
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream');
      if (isStream) await this.#othersEnd();
      if (response.destroyed) return;
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      if (isStream) this.#stream(answer, response);
      else answer.pipe(response);
    });
    request.pipe(far);
  }

  /** Connections close beside each other: what a page has left may be seen to go only after it has asked again. */
  async #othersEnd() {
    const since = performance.now();
    while (this.open > 0 && performance.now() - since < LEAVING_MS) await new Promise((done) => setTimeout(done, 5));
  }

  #stream(answer, response) {
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    this.#streams.add(response);
    response.on('close', () => {
      this.open -= 1;
      this.#streams.delete(response);
    });
    let left = this.cutAfter();
    answer.on('data', (bytes) => {
      const piece = bytes.subarray(0, left);
      left -= piece.length;
      // A body that fails takes with it what nobody has read yet: without a moment in between, the cut would be all there is.
      response.write(piece, () => left <= 0 && setTimeout(() => response.destroy(), CUT_DELAY_MS));
      if (left <= 0) answer.pause();
    });
    answer.on('end', () => response.end());
  }
}
