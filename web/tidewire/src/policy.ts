/** When to try again, and after what. Logic only: chance and time are arguments. */

export interface RetryPolicy {
  /** How long to wait at least, until the stream says it (`retry:`), in milliseconds. Default: 1,000. */
  initial: number;
  /** Waits grow up to this, unless the server asks for more. Default: 30,000. */
  max: number;
  /** How many attempts may fail in a row before it is given up. Default: no end. */
  attempts: number;
  /** From 0 to 1, for the jitter. Default: `Math.random`. */
  random: () => number;
}

/** What a server can ask for: no storm of connections, no wait for years. */
const LEAST_MS = 100;
const MOST_MS = 3_600_000;

/** A connection that was open for so long was a success, also without an event. */
export const STABLE_MS = 10_000;

/**
 * At least the stream's `retry`, up to twice as much after each failure, and somewhere in between by chance, so that
 * readers that were cut together do not come back together. A longer `Retry-After` wins, and chance adds to it, too.
 */
export function waitBefore(failures: number, retryMs: number, retryAfterMs: number, max: number, chance: number): number {
  const retry = floorOf(retryMs);
  const most = Math.min(retry * 2 ** failures, Math.max(max, retry));
  const least = Math.max(retry, most / 2);
  const after = Math.min(retryAfterMs, MOST_MS);
  return Math.max(least + (most - least) * chance, after && after + retry * chance);
}

/** No attempt comes sooner after a cut, whatever happens. */
export function floorOf(retryMs: number): number {
  return Math.min(Math.max(retryMs, LEAST_MS), MOST_MS);
}

/** A header `Retry-After`, seconds or a date, as milliseconds from now. */
export function retryAfter(value: string | null | undefined, now: number): number {
  if (!value) return 0;
  const seconds = /^\s*\d+\s*$/.test(value) ? +value * 1000 : Date.parse(value) - now;
  return Math.max(seconds, 0) || 0;
}

/** Methods that only read, so that to send them again does nothing twice (RFC 9110 9.2.1, RFC 3253, 4918, 5323, 10008). */
export function isSafe(method: string): boolean {
  return /^(GET|HEAD|OPTIONS|QUERY|REPORT|SEARCH|PROPFIND)$/.test(method);
}

/**
 * Whether a status is a trouble that passes. After 408, 425, 429 and 503 the request was not carried out, so any may be
 * sent again; after the other 5xx nobody knows, so only one that may be repeated.
 */
export function passes(status: number, repeatable: boolean): boolean {
  return [408, 425, 429, 503].includes(status) || (repeatable && status >= 500 && status !== 501 && status !== 505);
}
