/** What can go wrong with a stream, as one error that says what and what to do. */

/**
 * - `request`: what was asked for is no request (an invalid header, a GET with a body): see `cause`
 * - `status`, `type`: the server answered, but not with an event stream: see `response`, `body`
 * - `network`: no answer came: no network, a refused connection, or CORS, which browsers do not tell apart
 * - `cut`: the body broke off, or ended where it may have had more to say
 * - `idle`: nothing came, not even a heartbeat
 * - `gap`: events were lost that `text()` or `json()` would have had to hand out, and there is no `ongap`
 * - `event`: the stream itself says that it failed (an event `error`)
 * - `text`: `text()` has found none in the events that came, as it knows none of their kind
 */
export type ErrorCode = 'request' | 'status' | 'type' | 'network' | 'cut' | 'idle' | 'gap' | 'event' | 'text';

export class StreamError extends Error {
  override readonly name = 'StreamError';
  /** The beginning of a refusal's body. */
  body = '';

  constructor(
    readonly code: ErrorCode,
    message: string,
    /** What the server answered. */
    readonly response?: Response | undefined,
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  get status(): number | undefined {
    return this.response?.status;
  }
}
