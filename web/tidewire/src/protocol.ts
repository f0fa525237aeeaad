/** Names on the wire, each once. The Rust side has the same in `tidewire_codec::protocol`. */

export const ACCEPT = 'Accept';
export const CONTENT_TYPE = 'Content-Type';
export const IDEMPOTENCY_KEY = 'Idempotency-Key';
export const LAST_EVENT_ID = 'Last-Event-ID';
export const RETRY_AFTER = 'Retry-After';
/** Seconds between two comments that say that the server is there. */
export const TIDEWIRE_HEARTBEAT = 'Tidewire-Heartbeat';
/** The server resumes this stream. */
export const TIDEWIRE_RESUME = 'Tidewire-Resume';
/** Where an answer can be read again. */
export const TIDEWIRE_STREAM = 'Tidewire-Stream';

export const EVENT_STREAM = 'text/event-stream';
export const GZIP = 'application/gzip';
export const JSON_TYPE = 'application/json';
export const OCTET_STREAM = 'application/octet-stream';

/** The event that tells of lost events; publishers cannot use its name. */
export const GAP = 'tidewire.gap';
/** The last event of a stream; what OpenAI's have as its data. */
export const END = 'end';
export const DONE = '[DONE]';
/** Parameters of a subscription: a cursor before the first event; topics, and that events tell theirs. */
export const PRIME = 'prime';
export const TOPIC = 'topic';
export const SHOW = 'show';
