/** A proxy that cuts: ten thousand events over fifty cuts at random places, none lost, none twice. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, server, site } from './support/setup.js';

const EVENTS = 10_000;
const CUTS = 50;

for (const [name, read] of Object.entries({
  EventSource: () =>
    new Promise((done) => {
      const seen = [];
      const source = new window.tidewire.EventSource('/events/cuts?last_event_id=earliest', { retry: { max: 10 } });
      source.onmessage = ({ data }) => seen.push(+data);
      source.onerror = () => source.readyState === 2 && done(seen);
    }),
  events: async () => {
    const seen = [];
    const options = { lastEventId: 'earliest', retry: { max: 10 } };
    for await (const { data } of window.tidewire.events('/events/cuts', options)) seen.push(+data);
    return seen;
  },
  'fetchEventSource with POST': async () => {
    const seen = [];
    await window.tidewire.fetchEventSource('/subscribe', {
      body: JSON.stringify({ topics: ['cuts'], last_event_id: 'earliest' }),
      onmessage: ({ data }) => seen.push(+data),
      retry: { max: 10 },
    });
    return seen;
  },
})) {
  test(`${name}: none lost, none twice`, async () => {
    await fill();
    const seed = Date.now() >>> 0;
    const random = generator(seed);
    let streams = 0;
    // An event takes more than 30 bytes, so that the events last longer than the cuts.
    site.cutAfter = () => ((streams += 1) > CUTS ? Infinity : 100 + Math.floor(random() * ((EVENTS * 25) / CUTS)));
    site.mostOpen = 0;
    const page = await openPage();
    const seen = await page.evaluate(read);
    const wanted = Array.from({ length: EVENTS }, (_, number) => number);
    assert.deepEqual(seen, wanted, `seed ${seed}`);
    assert.ok(streams > CUTS, `only ${streams} streams, seed ${seed}`);
    assert.equal(site.mostOpen, 1);
    await page.context().close();
    site.cutAfter = () => Infinity;
  });
}

let filled;
/** A finite stream. */
function fill() {
  filled ??= (async () => {
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const body = Array.from({ length: EVENTS }, (_, number) => JSON.stringify({ data: String(number) })).join('\n');
    const response = await fetch(`${server.url}/events/cuts?end=true`, { method: 'POST', headers, body });
    assert.ok(response.ok, await response.text());
  })();
  return filled;
}

/** mulberry32: small, and the same everywhere. @param {number} state */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
