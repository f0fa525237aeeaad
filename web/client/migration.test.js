/**
 * Programs written against the documented options of fetch-event-source: with only the import changed they do the same,
 * on a server that behaves. Each is run with both.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { browser } from './support/setup.js';

/** @type {Record<string, string>} */
const scripts = {};
let answers;
let url;
const server = createServer(async (request, response) => {
  const path = request.url.slice(1);
  const name = /^page\/(.*)$/.exec(path)?.[1];
  if (name) return response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><meta charset="utf-8"><title>x</title><link rel="icon" href="data:,"><script type="module" src="/${name}.js"></script>`);
  if (path in scripts) return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(scripts[path]);
  const parts = [];
  for await (const part of request) parts.push(part);
  answers(request, response, Buffer.concat(parts).toString());
});

before(async () => {
  for (const [name, source] of Object.entries({ theirs: '@microsoft/fetch-event-source', ours: '../tidewire/src/fetch-event-source.ts' })) {
    const contents = `import { fetchEventSource, EventStreamContentType } from '${source}';
      Object.assign(window, { fetchEventSource, EventStreamContentType });`;
    const resolveDir = fileURLToPath(new URL('.', import.meta.url));
    const { outputFiles } = await build({ stdin: { contents, resolveDir }, bundle: true, write: false, format: 'esm', target: 'es2022' });
    scripts[`${name}.js`] = outputFiles[0].text;
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const STREAM = { 'Content-Type': 'text/event-stream' };

/** What a program sees, and the server of it, with each of the two; `asksMore`: the other one asks more often than needed. */
async function both(program, respond, asksMore = false) {
  const outcomes = [];
  for (const name of ['theirs', 'ours']) {
    const asked = [];
    answers = (request, response, body) => {
      const { method, url, headers } = request;
      // The other one may still be asking while its page is closed.
      if (!headers.referer?.endsWith(`/${name}`)) return response.destroy();
      asked.push([method, url, headers['last-event-id'] ?? null, headers['x-own'] ?? null, headers.accept, body]);
      respond(request, response, asked.length);
    };
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${url}/page/${name}`);
    await page.waitForFunction(() => 'fetchEventSource' in window);
    outcomes.push({ seen: await page.evaluate(program), asked });
    await page.context().close();
  }
  assert.deepEqual(outcomes[1].seen, outcomes[0].seen);
  if (!asksMore) assert.deepEqual(outcomes[1].asked, outcomes[0].asked);
  return outcomes[1];
}

test('a POST with a body and headers, to its end', async () => {
  const { seen } = await both(
    async () => {
      const seen = [];
      await window.fetchEventSource('/answer', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Own': 'yes' },
        body: JSON.stringify({ prompt: 'hi' }),
        async onopen(response) {
          seen.push(['open', response.ok, response.headers.get('content-type') === window.EventStreamContentType]);
        },
        onmessage: ({ id, event, data }) => seen.push([id, event, data]),
        onclose: () => seen.push('close'),
      });
      return [...seen, 'resolved'];
    },
    (_, response) => response.writeHead(200, STREAM).end('id: 1\nevent: a\ndata: x\ndata: y\n\ndata: z\n\n'),
  );
  assert.deepEqual(seen, [['open', true, true], ['1', 'a', 'x\ny'], ['', '', 'z'], 'close', 'resolved']);
});

test('fatal and retriable errors, as its README has them', async () => {
  const { seen, asked } = await both(
    async () => {
      class RetriableError extends Error {}
      class FatalError extends Error {}
      const seen = [];
      try {
        await window.fetchEventSource('/sse', {
          async onopen(response) {
            seen.push(response.status);
            if (response.ok && response.headers.get('content-type') === window.EventStreamContentType) return;
            throw response.status >= 400 && response.status < 500 && response.status !== 429 ? new FatalError() : new RetriableError();
          },
          onmessage(message) {
            if (message.event === 'FatalError') throw new FatalError(message.data);
            seen.push(message.data);
          },
          onclose() {
            throw new RetriableError();
          },
          onerror(error) {
            seen.push(error instanceof FatalError ? 'fatal' : error instanceof RetriableError ? 'retriable' : String(error));
            if (error instanceof FatalError) throw error;
            return 10;
          },
        });
      } catch (error) {
        seen.push(['rejected', error.message]);
      }
      return seen;
    },
    (_, response, attempt) => {
      if (attempt === 1) response.writeHead(500).end();
      else if (attempt === 2) response.writeHead(429).end();
      else if (attempt === 3) response.writeHead(200, STREAM).end('id: 1\ndata: a\n\n');
      else response.writeHead(200, STREAM).end('data: b\n\nevent: FatalError\ndata: enough\n\n');
    },
  );
  assert.deepEqual(seen, [500, 'retriable', 429, 'retriable', 200, 'a', 'retriable', 200, 'b', 'fatal', ['rejected', 'enough']]);
  assert.deepEqual(asked.map(([, , cursor]) => cursor), [null, null, null, '1']);
});

test('an abort resolves, and closes the connection', async () => {
  let closed = 0;
  const { seen } = await both(
    async () => {
      const stop = new AbortController();
      const seen = [];
      await window.fetchEventSource('/sse', {
        signal: stop.signal,
        onmessage: ({ data }) => (seen.push(data), stop.abort()),
        onerror: (error) => void seen.push(String(error)),
      });
      return seen;
    },
    (_, response) => {
      response.on('close', () => (closed += 1));
      response.writeHead(200, STREAM).write('data: 1\n\n');
    },
  );
  assert.deepEqual(seen, ['1']);
  assert.equal(closed, 2);
});

test('a page that is hidden rests, and resumes when it is shown', async () => {
  const { asked } = await both(
    async () => {
      const seen = [];
      const show = (isHidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      await new Promise((done) => {
        void window.fetchEventSource('/sse', {
          onmessage: ({ data }) => {
            seen.push(data);
            if (data === 'last') done();
            else {
              show(true);
              setTimeout(() => show(false), 100);
            }
          },
        });
      });
      return seen;
    },
    (_, response, attempt) => response.writeHead(200, STREAM).write(attempt === 1 ? 'id: 7\ndata: 1\n\n' : 'data: last\n\n'),
    true,
  );
  assert.deepEqual(asked.map(([, , cursor]) => cursor), [null, '7']);
});

test('openWhenHidden, a fetch of its own, retry of the stream', async () => {
  await both(
    async () => {
      const seen = [];
      let since = 0;
      await window.fetchEventSource('/sse', {
        openWhenHidden: true,
        fetch: (input, init) => (seen.push(['asked', String(input)]), window.fetch(`${input}?own`, init)),
        onmessage: ({ data }) => {
          seen.push(data);
          Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
          document.dispatchEvent(new Event('visibilitychange'));
        },
        onclose: () => {
          since = Date.now();
          if (seen.length < 4) throw new Error('again');
        },
        onerror: () => {},
      });
      return [seen, Date.now() - since >= 0];
    },
    (_, response) => response.writeHead(200, STREAM).end('retry: 100\ndata: 1\n\n'),
  );
});
