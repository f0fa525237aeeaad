/** Servers that nobody here wrote: better-sse, sse-starlette, nchan. Their streams are read over cuts, after their own ids. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createSession } from 'better-sse';
import { EventSource, events, fetchEventSource } from 'tidewire';
import { Network } from '../browser/support/network.js';

const retry = { initial: 50, max: 100 };
const PYTHON = process.env.SDK_PYTHON ?? fileURLToPath(new URL('../../target/sdk/venv/bin/python', import.meta.url));
const NGINX = process.env.NGINX ?? '/usr/sbin/nginx';
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

/** Ends a program, and waits until it has. @param {import('node:child_process').ChildProcess} child */
async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('better-sse: sessions resume by its ids', async () => {
  const asked = [];
  const server = createServer(async (request, response) => {
    const session = await createSession(request, response, { retry: 50 });
    asked.push(session.lastId);
    const from = Number(session.lastId || 0);
    for (let number = from + 1; number <= Math.min(from + 2, 5); number += 1) session.push({ number }, 'number', String(number));
    if (from + 2 >= 5) session.push('over', 'end');
    setTimeout(() => response.destroy(), 50);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${server.address().port}/`;
    const seen = [];
    for await (const { number } of events(url, { retry }).json()) seen.push(number);
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
    assert.deepEqual(asked, ['', '2', '4']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('sse-starlette: GET and POST, its pings and its endings', { skip: existsSync(PYTHON) ? false : `no Python at ${PYTHON}` }, async () => {
  const program = fileURLToPath(new URL('programs/starlette_server.py', import.meta.url));
  const child = spawn(PYTHON, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(createInterface({ input: child.stdout }), 'line');
    await listening(Number(port));
    const url = `http://127.0.0.1:${port}/numbers`;
    const wanted = Array.from({ length: 6 }, (_, index) => `${index + 1}\n号`);
    const seen = [];
    for await (const { type, data } of events(url, { retry })) if (type === 'number') seen.push(data);
    assert.deepEqual(seen, wanted);

    const posted = [];
    await fetchEventSource(url, { method: 'POST', repeat: true, end: undefined, retry, onmessage: ({ event, data }) => event === 'number' && posted.push(data) });
    assert.deepEqual(posted, wanted);
    const once_ = [];
    await fetchEventSource(url, { method: 'POST', onmessage: ({ data }) => once_.push(data) });
    assert.deepEqual(once_, wanted.slice(0, 2), 'a POST that ended is not asked again');
  } finally {
    await end(child);
  }
});

const missing = [NGINX, NCHAN].find((file) => !existsSync(file));
test('nchan: messages are read over cuts, by its ids', { skip: missing ? `no ${missing}: install nginx-light and libnginx-mod-nchan` : false }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-nchan-'));
  const port = await freePort();
  await writeFile(join(folder, 'nginx.conf'), `load_module ${NCHAN}; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server { listen 127.0.0.1:${port};
    location = /pub { nchan_publisher; nchan_channel_id $arg_id; nchan_message_buffer_length 100; nchan_message_timeout 1h; }
    location = /sub { nchan_subscriber eventsource; nchan_channel_id $arg_id; nchan_subscriber_first_message oldest; }
  }
}`);
  const child = spawn(NGINX, ['-p', folder, '-c', 'nginx.conf', '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'inherit'] });
  await listening(port);
  const network = await Network.before(`http://127.0.0.1:${port}`);
  const source = new EventSource(`${network.url}/sub?id=a`, { retry });
  try {
    const seen = [];
    let wake = () => {};
    source.onmessage = ({ data }) => {
      seen.push(data);
      wake();
    };
    for (let number = 1; number <= 9; number += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}/pub?id=a`, { method: 'POST', body: `message ${number}` });
      assert.ok(answer.ok);
      // Every third one is published while nobody is connected.
      if (number % 3 === 2) network.cut();
      else while (seen.length < number) await new Promise((done) => (wake = done));
    }
    assert.deepEqual(seen, Array.from({ length: 9 }, (_, index) => `message ${index + 1}`));
  } finally {
    source.close();
    network.close();
    await end(child);
    await rm(folder, { recursive: true, force: true });
  }
});

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until something listens there. @param {number} port */
async function listening(port) {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    assert.ok(tries < 500, `nothing listens on ${port}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
