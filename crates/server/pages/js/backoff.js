/**
 * How long to wait before the next connection. Logic only: chance is an argument.
 */

/** Waits grow up to this, unless the server asks for more. */
const MOST_MS = 30_000;
/** What a server can ask for: no storm of connections, no wait for years. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 3_600_000;

/**
 * At least the stream's `retry`, up to twice as much after each failure, and somewhere in between by
 * chance, so that readers that were cut together do not come back together.
 * @param {number} failures in a row, this one included
 * @param {number} retryMs
 * @param {number} chance 0 to 1
 * @param {number} [atLeastMs] what the server asked for in Retry-After
 */
export function waitBefore(failures, retryMs, chance, atLeastMs = 0) {
  const retry = clamp(retryMs, RETRY_MIN_MS, RETRY_MAX_MS);
  const most = Math.min(retry * 2 ** failures, Math.max(MOST_MS, retry));
  const least = Math.max(retry, most / 2);
  const wait = least + (most - least) * clamp(chance, 0, 1);
  return Math.max(wait, Math.min(atLeastMs, RETRY_MAX_MS));
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
