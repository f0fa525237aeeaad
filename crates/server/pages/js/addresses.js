/**
 * Addresses of the plain door: from topics and a query to a path.
 */

/** Path segments that a browser would fold away; such topics travel in the query. */
const FOLDED = new Set(['', '.', '..']);

/**
 * The path to subscribe to topics, or to publish into them. Empty parameters are left out.
 * @param {string[]} topics
 * @param {Record<string, string>} [parameters]
 */
export function eventsPath(topics, parameters = {}) {
  return doorPath('/events', topics, parameters);
}

/** Where it is told who reads a topic. @param {string} topic */
export function presencePath(topic) {
  return doorPath('/presence', [topic], {});
}

/**
 * @param {string} root
 * @param {string[]} topics one stands in the path if it can
 * @param {Record<string, string>} parameters
 */
function doorPath(root, topics, parameters) {
  const query = new URLSearchParams();
  const segments = topics.length === 1 ? topics[0].split('/') : [''];
  const folded = segments.some((segment) => FOLDED.has(segment));
  if (folded) for (const topic of topics) query.append('topic', topic);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '') query.set(name, value);
  }
  const path = folded ? root : `${root}/${segments.map(encodeURIComponent).join('/')}`;
  return query.size > 0 ? `${path}?${query}` : path;
}
