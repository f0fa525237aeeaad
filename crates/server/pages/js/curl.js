/**
 * The console's requests as curl commands, ready for a POSIX shell. A token is named, not shown.
 */

const TOKEN_HEADER = ' -H "Authorization: Bearer $TIDEWIRE_TOKEN"';

/**
 * Single quotes protect everything in a shell but themselves.
 * @param {string} word
 */
function quote(word) {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * @param {string} url
 * @param {{ json?: string, token: boolean }} options with a JSON body: a POST
 */
export function subscribeCommand(url, { json, token }) {
  const header = token ? TOKEN_HEADER : '';
  const body = json === undefined ? '' : ` -H 'Content-Type: application/json' --data-raw ${quote(json)}`;
  return `curl -N${header}${body} ${quote(url)}`;
}

/**
 * `--data-raw`, because `--data` reads a file if the text begins with `@`.
 * @param {string} url
 * @param {string} data
 * @param {{ type?: string, token: boolean }} options the type of the body if it is not one event
 */
export function publishCommand(url, data, { type, token }) {
  const header = token ? TOKEN_HEADER : '';
  const typed = type === undefined ? '' : ` -H 'Content-Type: ${type}'`;
  return `curl${header}${typed} --data-raw ${quote(data)} ${quote(url)}`;
}
