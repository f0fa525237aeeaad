/**
 * The other side of a test: asks, publishes and reads with plain HTTP, without the page.
 */

/**
 * Begins an answer that is typed faster than for people.
 * @param {string} url
 * @param {number} charactersPerSecond
 * @returns {Promise<string>} its topic
 */
export async function ask(url, charactersPerSecond) {
  const response = await fetch(`${url}/demo/answers?lang=en&cps=${charactersPerSecond}`, {
    method: 'POST',
  });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()).topic;
}

/**
 * @param {string} url
 * @param {string} topic
 * @param {string} data
 * @param {string} [query]
 */
export async function publish(url, topic, data, query = '') {
  const response = await fetch(`${url}/events/${topic}?${query}`, { method: 'POST', body: data });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

/**
 * @param {string} url
 * @param {string} topic
 * @param {string[]} lines of NDJSON
 */
export async function publishMany(url, topic, lines) {
  const headers = { 'Content-Type': 'application/x-ndjson' };
  const response = await fetch(`${url}/events/${topic}`, { method: 'POST', headers, body: lines.join('\n') });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

/**
 * Who reads a topic, as the server says it.
 * @param {string} url
 * @param {string} topic
 * @returns {Promise<{ readers: number, members: { name: string, readers: number }[] }>}
 */
export async function presence(url, topic) {
  return (await fetch(`${url}/presence/${topic}`)).json();
}

/**
 * Reads a stream from its first kept event to its end.
 * @param {string} url
 * @param {string} topic
 */
export async function readToEnd(url, topic) {
  const response = await fetch(`${url}/events/${topic}?last_event_id=earliest`);
  return parse(await response.text());
}

/**
 * The whole text of an answer, waiting for its end.
 * @param {string} url
 * @param {string} topic
 */
export async function wholeAnswer(url, topic) {
  const events = await readToEnd(url, topic);
  if (events.at(-1)?.type !== 'end') throw new Error('the answer did not end');
  const deltas = events.filter(({ type }) => type === 'delta');
  return deltas.map(({ data }) => data).join('');
}

/**
 * A whole event stream, read the slow and obvious way.
 * @param {string} text with LF line ends, as our server writes them
 */
function parse(text) {
  return text
    .split('\n\n')
    .map((block) => block.split('\n').map(field))
    .filter((fields) => fields.some(([name]) => name === 'data'))
    .map((fields) => {
      const values = (wanted) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
      return {
        type: values('event').at(-1) ?? 'message',
        id: values('id').at(-1) ?? '',
        data: values('data').join('\n'),
      };
    });
}

/** @param {string} line */
function field(line) {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
