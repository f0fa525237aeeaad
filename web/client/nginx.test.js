/**
 * nginx as Debian has it before the server, with its default buffering: events come as they are published, over HTTP/1.1,
 * HTTP/2 with TLS, and where it asks the server by HTTP/1.0; cuts are healed there, too.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server } from '../browser/support/server.js';
import { launch } from './support/setup.js';
import { Site } from './support/site.js';

const NGINX = process.env.NGINX ?? '/usr/sbin/nginx';
const skip = existsSync(NGINX) ? false : `no nginx at ${NGINX}: install it (apt-get install nginx-light), or set NGINX`;

let server, site, browser, folder, nginx, ports;

before(async () => {
  if (skip) return;
  server = await Server.start({ TIDEWIRE_RETRY: '100ms', TIDEWIRE_HEARTBEAT: '1s' });
  site = await Site.before(server.url);
  folder = await mkdtemp(join(tmpdir(), 'tidewire-nginx-'));
  ports = await freePorts(3);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'cert.pem'], { cwd: folder, stdio: 'ignore' });
  await writeFile(join(folder, 'nginx.conf'), configuration());
  nginx = spawn(NGINX, ['-p', folder, '-c', 'nginx.conf', '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] });
  nginx.stderr.on('data', (text) => process.stderr.write(text));
  for (const port of ports) await answers(port);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  if (nginx && nginx.exitCode === null) {
    nginx.kill('SIGTERM');
    await once(nginx, 'exit');
  }
  site?.close();
  await server?.kill();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Nothing in it is about streams: `proxy_buffering` is on, as it is by default. */
function configuration() {
  const location = (more = '') => `location / { proxy_pass ${site.url}; proxy_set_header Host $http_host; ${more} }`;
  return `worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  gzip on; gzip_types text/event-stream text/plain;
  server { listen 127.0.0.1:${ports[0]}; ${location('proxy_http_version 1.1;')} }
  server { listen 127.0.0.1:${ports[1]} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem; ${location('proxy_http_version 1.1;')} }
  server { listen 127.0.0.1:${ports[2]}; ${location('proxy_http_version 1.0;')} }
}`;
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => (server.close(), once(server, 'close'))));
  return ports;
}

/** Waits until something listens there. */
async function answers(port) {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    assert.ok(tries < 500, `nginx does not listen on ${port}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const ways = {
  'HTTP/1.1': () => `http://127.0.0.1:${ports[0]}`,
  'HTTP/2 with TLS': () => `https://127.0.0.1:${ports[1]}`,
  'HTTP/1.0 to the server': () => `http://127.0.0.1:${ports[2]}`,
};

for (const [name, address] of Object.entries(ways)) {
  test(`${name}: each event comes before the next one is published, over cuts, to the end`, { skip }, async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${address()}/page`);
    await page.waitForFunction(() => 'tidewire' in window);
    const topic = name.replace(/\W+/g, '-');
    const publish = async (data, query = '') => assert.ok((await fetch(`${server.url}/events/${topic}?${query}`, { method: 'POST', body: data })).ok);
    await page.evaluate((topic) => {
      window.seen = [];
      window.source = new window.tidewire.EventSource(`/events/${topic}`, { prime: true });
      window.source.onmessage = ({ data }) => window.seen.push(data);
    }, topic);
    await page.waitForFunction(() => window.source.readyState === 1);
    const protocol = await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
    assert.equal(protocol, name.startsWith('HTTP/2') ? 'h2' : 'http/1.1');
    for (let number = 1; number <= 12; number += 1) {
      await publish(String(number));
      await page.waitForFunction((count) => window.seen.length >= count, number);
      if (number % 4 === 0) site.cut();
    }
    await publish('last', 'end=true');
    await page.waitForFunction(() => window.source.readyState === 2);
    assert.deepEqual(await page.evaluate(() => window.seen), [...Array.from({ length: 12 }, (_, index) => String(index + 1)), 'last']);
    await context.close();
  });
}
