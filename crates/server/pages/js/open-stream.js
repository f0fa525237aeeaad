/**
 * A stream by the browser's EventSource; by fetch where there is a token, which EventSource cannot send.
 */

import { Connection } from './connection.js';
import { FetchConnection } from './fetch-connection.js';
import { authorization, currentToken } from './token.js';

/**
 * @param {object} options
 * @param {(cursor: string) => string} options.address
 * @param {string} options.cursor where to start
 * @param {string[]} options.names event names to listen for
 * @param {() => number} options.retryMs
 * @param {(event: import('./event-stream.js').StreamEvent) => void} options.onEvent
 * @param {() => void} options.onChange
 * @returns {Connection | FetchConnection}
 */
export function openStream({ address, cursor, names, retryMs, onEvent, onChange }) {
  if (currentToken() === '') {
    return new Connection({ address, cursor, names, retryMs: retryMs(), persistent: true, onEvent, onChange });
  }
  const request = (/** @type {string} */ lastEventId) => ({
    path: address(lastEventId || cursor),
    headers: authorization(),
  });
  return new FetchConnection({ request, retryMs, onEvent, onChange });
}
