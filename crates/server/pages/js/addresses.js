/**
 * Addresses of the plain door: from a topic and a query to a path.
 */

/** Path segments that a browser would fold away; such topics travel in the query. */
const FOLDED = new Set(['', '.', '..']);

/**
 * The path to subscribe to a topic, or to publish into it. Empty parameters are left out.
 * @param {string} topic
 * @param {Record<string, string>} [parameters]
 */
export function eventsPath(topic, parameters = {}) {
  const query = new URLSearchParams();
  const segments = topic.split('/');
  const folded = segments.some((segment) => FOLDED.has(segment));
  if (folded) query.set('topic', topic);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '') query.set(name, value);
  }
  const path = folded ? '/events' : `/events/${segments.map(encodeURIComponent).join('/')}`;
  return query.size > 0 ? `${path}?${query}` : path;
}
