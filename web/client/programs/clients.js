/**
 * Clients of event streams that pages use, behind one face, each set as its documentation says for a stream that is to
 * survive: `clients[name](url, options, on)`.
 */

import { fetchEventSource } from '@microsoft/fetch-event-source';
import { EventSourcePlus } from 'event-source-plus';
import { EventSource as NpmEventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { SSE } from 'sse.js';
import { EventSource as Ours } from 'tidewire';

/** @typedef {{ method?: string, headers?: Record<string, string>, body?: string }} Options */
/** @typedef {{ message(data: string): void, failed(status?: number): void }} On */

/** @type {Record<string, (url: string, options: Options, on: On) => void>} */
export const clients = {
  tidewire(url, options, on) {
    const source = new Ours(url, { ...options, retry: { initial: 20 } });
    source.onmessage = ({ data }) => on.message(data);
    source.onerror = ({ error }) => on.failed(error?.status);
  },
  'EventSource of browsers'(url, _options, on) {
    // It takes no method, headers or body.
    const source = new EventSource(url);
    source.onmessage = ({ data }) => on.message(data);
    source.onerror = () => on.failed();
  },
  'fetch-event-source'(url, options, on) {
    fetchEventSource(url, { ...options, onmessage: ({ data }) => on.message(data), onerror: (error) => on.failed(error?.status) }).catch(() => on.failed());
  },
  'sse.js'(url, { body, ...options }, on) {
    const source = new SSE(url, { ...options, ...(body && { payload: body }), autoReconnect: true, reconnectDelay: 20 });
    source.onmessage = ({ data }) => on.message(data);
    source.onerror = ({ responseCode }) => on.failed(responseCode);
  },
  eventsource(url, options, on) {
    const own = (input, init) => fetch(input, { ...init, ...options, headers: { ...init.headers, ...options.headers } });
    const source = new NpmEventSource(url, { fetch: own });
    source.onmessage = ({ data }) => on.message(data);
    source.onerror = ({ code }) => on.failed(code);
  },
  'eventsource-client'(url, options, on) {
    createEventSource({ url, ...options, onMessage: ({ data }) => on.message(data), onDisconnect: () => on.failed() });
  },
  'event-source-plus'(url, options, on) {
    new EventSourcePlus(url, options).listen({
      onMessage: ({ data }) => on.message(data),
      onResponseError: ({ response }) => on.failed(response.status),
    });
  },
};

if (globalThis.document) Object.assign(globalThis, { clients });
else {
  // In a worker: reads what it is told to; null says that it failed.
  onmessage = ({ data: [name, url] }) => clients[name](url, {}, { message: (data) => postMessage(data), failed: () => postMessage(null) });
}
