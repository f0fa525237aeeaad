/**
 * The console's requests as curl commands, ready for a POSIX shell.
 */

/**
 * Single quotes protect everything in a shell but themselves.
 * @param {string} word
 */
function quote(word) {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** @param {string} url */
export function subscribeCommand(url) {
  return `curl -N ${quote(url)}`;
}

/**
 * `--data-raw`, because `--data` reads a file if the text begins with `@`.
 * @param {string} url
 * @param {string} data
 */
export function publishCommand(url, data) {
  return `curl --data-raw ${quote(data)} ${quote(url)}`;
}
