/**
 * nginx as Debian has it before the server, with its default buffering: events come as they are published, over HTTP/1.1,
 * HTTP/2 with TLS, and where it asks the server by HTTP/1.0; cuts are healed there, too.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { events } from 'tidewire';
import { Server } from '../browser/support/server.js';
import { launch } from './support/launch.js';
import { Nginx, freePorts, missing } from './support/nginx.js';
import { Site } from './support/site.js';

const skip = missing('/usr/bin/openssl');

let server, site, browser, nginx, ports;

before(async () => {
  if (skip) return;
  server = await Server.start({ TIDEWIRE_RETRY: '100ms', TIDEWIRE_HEARTBEAT: '1s' });
  site = await Site.before(server.url);
  ports = await freePorts(4);
  nginx = await Nginx.start(configuration, ports);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await nginx?.stop();
  site?.close();
  await server?.kill();
});

/** Nothing in it is about streams: `proxy_buffering` is on, as it is by default, and gzip as people set it. */
function configuration(folder) {
  const certificate = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const files = ['-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'cert.pem'];
  execFileSync('openssl', [...certificate, ...files], { cwd: folder, stdio: 'ignore' });
  const location = (version, more = '') =>
    `location / { proxy_pass ${site.url}; proxy_set_header Host $http_host; proxy_http_version ${version}; ${more} }`;
  return `pid nginx.pid; error_log stderr crit;
events {}
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  gzip on; gzip_types text/event-stream text/plain;
  server { listen 127.0.0.1:${ports[0]}; ${location('1.1')} }
  server { listen 127.0.0.1:${ports[1]} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem; ${location('1.1')} }
  server { listen 127.0.0.1:${ports[2]}; ${location('1.0')} }
  server { listen 127.0.0.1:${ports[3]}; ${location('1.1', 'proxy_ignore_headers X-Accel-Buffering;')} }
}`;
}

const publish = async (topic, data, query = '') => {
  const response = await fetch(`${server.url}/events/${topic}?${query}`, { method: 'POST', body: data });
  assert.ok(response.ok, await response.text());
};

/** A page behind nginx that reads a topic. */
async function read(address, topic) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`${address}/page`);
  await page.waitForFunction(() => 'tidewire' in window);
  await page.evaluate((topic) => {
    window.seen = [];
    window.source = new window.tidewire.EventSource(`/events/${topic}`, { prime: true });
    window.source.onmessage = ({ data }) => window.seen.push(data);
  }, topic);
  return page;
}

const ways = {
  'HTTP/1.1': { address: () => `http://127.0.0.1:${ports[0]}`, spoken: 'http/1.1' },
  'HTTP/2 with TLS': { address: () => `https://127.0.0.1:${ports[1]}`, spoken: 'h2' },
  'HTTP/1.0 to the server': { address: () => `http://127.0.0.1:${ports[2]}`, spoken: 'http/1.1' },
};

for (const [name, { address, spoken }] of Object.entries(ways)) {
  test(`${name}: each event comes before the next one is published, over cuts, to the end`, { skip }, async () => {
    const topic = name.replace(/\W+/g, '-');
    const page = await read(address(), topic);
    await page.waitForFunction(() => window.source.readyState === 1);
    const protocol = await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
    assert.equal(protocol, spoken);
    const wanted = [];
    for (let number = 1; number <= 12; number += 1) {
      wanted.push(String(number));
      await publish(topic, String(number));
      await page.waitForFunction((count) => window.seen.length >= count, number);
      if (number % 4 === 0) site.cut();
    }
    await publish(topic, 'last', 'end=true');
    await page.waitForFunction(() => window.source.readyState === 2);
    assert.deepEqual(await page.evaluate(() => window.seen), [...wanted, 'last']);
    await page.context().close();
  });
}

test('the judge can fail: where nginx is told to ignore our header, an event waits', { skip }, async () => {
  const page = await read(`http://127.0.0.1:${ports[3]}`, 'held');
  while (site.open === 0) await new Promise((done) => setTimeout(done, 10));
  await publish('held', '1');
  // Somebody beside nginx has it long since: a heartbeat came after it.
  const heard = await new Promise((done) => {
    const heard = [];
    const options = { lastEventId: 'earliest', oncomment: () => (stream.close(), done(heard)) };
    const stream = events(`${server.url}/events/held`, options);
    void (async () => {
      for await (const { data } of stream) heard.push(data);
    })();
  });
  assert.deepEqual(heard, ['1']);
  assert.deepEqual(await page.evaluate(() => window.seen), []);
  await publish('held', '2', 'end=true');
  await page.waitForFunction(() => window.seen.length === 2);
  await page.context().close();
});
