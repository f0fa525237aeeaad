/** Server-Sent Events for browsers, workers, Node, Deno and Bun. */

export { isBinary, readBinary } from './binary.js';
export { StreamError, type ErrorCode } from './error.js';
export { EventSource, type EventSourceOptions } from './event-source.js';
export { events, EventStream, type StreamEvent } from './events.js';
export {
  EventStreamContentType,
  fetchEventSource,
  type EventSourceMessage,
  type FetchEventSourceInit,
} from './fetch-event-source.js';
export { GAP, gapOf, type Gap, type GapReason } from './gap.js';
export type { StreamOptions } from './options.js';
export { Parser, type Item, type Limit, type Limits, type Message } from './parser.js';
export type { RetryPolicy } from './policy.js';
export type { ErrorEvent, OpenEvent, StreamMessageEvent } from './target.js';
