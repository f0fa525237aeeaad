/** What the package does, on whatever runs this, before a site that cuts streams. */

import { EventSource, events, fetchEventSource, readBinary } from 'tidewire';

/** @param {string} site its address @returns {Promise<Record<string, unknown>>} what was seen */
export async function everywhere(site) {
  const retry = { initial: 50, max: 50 };
  const seen = {};

  seen.iterated = [];
  for await (const { data, id } of events(`${site}/events/ids`, { lastEventId: 'earliest', retry })) seen.iterated.push(`${id} ${data}`);

  seen.dispatched = await new Promise((done) => {
    const dispatched = [];
    const source = new EventSource(`${site}/events/ids?last_event_id=earliest`, { retry });
    source.addEventListener('tick', ({ data, lastEventId }) => dispatched.push(`${lastEventId} ${data}`));
    source.onerror = () => source.readyState === EventSource.CLOSED && done(dispatched);
  });

  seen.posted = [];
  await fetchEventSource(`${site}/subscribe`, {
    method: 'POST',
    body: JSON.stringify({ topics: ['ids'], last_event_id: 'earliest' }),
    onmessage: ({ id, data }) => seen.posted.push(`${id} ${data}`),
    retry,
  });

  const body = JSON.stringify({ model: 'demo', stream: true, metadata: { cps: '2000' }, messages: [{ role: 'user', content: 'hi' }] });
  const headers = { 'Content-Type': 'application/json' };
  seen.answer = '';
  for await (const piece of events(`${site}/v1/chat/completions`, { body, headers, retry }).text()) seen.answer += piece;

  seen.refused = await events(`${site}/nowhere`).opened.catch(({ code, status, body }) => [code, status, JSON.parse(body).code]);

  const stop = new AbortController();
  const stopped = events(`${site}/events/silent`, { signal: stop.signal });
  await stopped.opened;
  stop.abort();
  seen.aborted = await stopped.next().catch(({ name }) => name);

  const gzip = new Response(new Blob([new Uint8Array(5000)]).stream().pipeThrough(new CompressionStream('gzip')));
  const base64 = btoa(String.fromCharCode(...new Uint8Array(await gzip.arrayBuffer())));
  seen.bytes = (await readBinary(`data:application/gzip;base64,${base64}`)).length;
  return seen;
}
