/** Whom the caller's headers reach: the origin that was asked, and no other one that an answer names. */

import { expect, test } from 'vitest';
import { EventSource } from '../src/event-source.ts';
import { events } from '../src/events.ts';
import type { ErrorEvent } from '../src/target.ts';
import { Script, refuse, stream } from './support/script.ts';
import { type Site, cut, site } from './support/site.ts';

const SECRET = { Authorization: 'Bearer secret', 'X-Own': 'mine' };
const NAME = { 'Tidewire-Stream': '/relay/x', 'Tidewire-Resume': 'live' };

/** Reads to the end, and says how it was. */
async function outcome(url: string, options = {}): Promise<unknown> {
  const data: string[] = [];
  try {
    for await (const event of events(url, { headers: SECRET, body: '{}', retry: { initial: 1 }, ...options })) data.push(event.data);
    return data;
  } catch (error) {
    return error;
  }
}

const seen = ({ asked }: Site) => asked.map(({ method, url, headers }) => [method, url, headers.authorization, headers['last-event-id']]);

test('a redirect to another origin gives the caller\'s credential to nobody, by no name that is told there', async () => {
  for (const text of ['', 'id: 1\ndata: 1\n\n']) {
    let attempts = 0;
    const other = await site((_, response) => {
      attempts += 1;
      if (attempts === 1) cut(response, text, NAME);
      else response.writeHead(204).end();
    });
    const asked = await site((_, response) => void response.writeHead(307, { Location: `${other.origin}/v1/chat` }).end());
    const end = await outcome(`${asked.origin}/v1/chat`);
    for (const [, , authorization] of seen(other)) expect(authorization).toBe(undefined);
    if (text) {
      // The cursor says which answer it is about, so the request may go again, where it was sent.
      expect(end).toEqual(['1']);
      expect(seen(asked)).toEqual([['POST', '/v1/chat', SECRET.Authorization, undefined], ['POST', '/v1/chat', SECRET.Authorization, '1']]);
      expect(seen(other)).toEqual([['POST', '/v1/chat', undefined, undefined], ['POST', '/v1/chat', undefined, '1']]);
    } else {
      expect(end).toMatchObject({ code: 'cut' });
      expect([asked.asked.length, other.asked.length]).toEqual([1, 1]);
    }
  }
});

test('a redirect within the origin keeps its names', async () => {
  const own = await site((request, response) => {
    if (request.url === '/old') response.writeHead(308, { Location: '/new' }).end();
    else if (request.url === '/new') cut(response, '', NAME);
    else response.writeHead(204).end();
  });
  expect(await outcome(`${own.origin}/old`)).toEqual([]);
  expect(seen(own).at(-1)).toEqual(['GET', '/relay/x?prime=1', SECRET.Authorization, undefined]);
});

test('a name that is no address, or another origin\'s, is none; a POST is not sent again for it', async () => {
  const other = await site((_, response) => void response.writeHead(204).end());
  for (const name of ['http://[', `${other.origin}/relay/x`, 'javascript:0', 'data:text/event-stream,x']) {
    const own = await site((_, response) => cut(response, '', { ...NAME, 'Tidewire-Stream': name }));
    expect(await outcome(own.origin), name).toMatchObject({ code: 'cut' });
    expect([own.asked.length, other.asked.length], name).toEqual([1, 0]);
  }
});

test('an address that nobody can ever answer closes at once, and says why', async () => {
  for (const url of ['ftp://127.0.0.1/x', 'mailto:a@b.test', 'htps://127.0.0.1/x', 'localhost:8420/events/x', 'ws://127.0.0.1/x', 'file:///etc/hostname']) {
    const protocol = `"${new URL(url).protocol}"`;
    expect(await outcome(url, { body: null }), url).toMatchObject({ code: 'request', message: expect.stringContaining(protocol) });
    const source = new EventSource(url);
    const event = await new Promise<ErrorEvent>((done) => (source.onerror = done));
    expect([event.error.code, source.readyState], url).toEqual(['request', 2]);
  }
  // An app may have a scheme of its own, and what once answered may pass.
  const script = new Script(stream('id: 1\ndata: 1\n\n', 'break'), new TypeError('x'), stream('data: 2\n\n'), refuse(204));
  expect(await outcome('app://page/events', { body: null, fetch: script.fetch })).toEqual(['1', '2']);
});
