/**
 * Blocks of `text/event-stream` as providers write them.
 */

export const EVENTS = { 'Content-Type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req-1' };
export const JSON_HEAD = { 'Content-Type': 'application/json', 'x-request-id': 'req-1' };

/** @param {unknown} data */
export const data = (data) => `data: ${JSON.stringify(data)}\n\n`;
/** With its type as its name. @param {{ type: string }} event */
export const named = (event) => `event: ${event.type}\n${data(event)}`;
/** An answer that is no stream. @param {unknown} body */
export const whole = (body) => ({ isWhole: true, head: JSON_HEAD, pieces: [JSON.stringify(body)] });
