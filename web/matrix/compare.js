/**
 * What differs between two runs of a client, in lines that a person reads and `expected.json` names.
 */

const LINE = 160;
const MANY = 5;

/**
 * @typedef {{ events: unknown[], error?: { class: string, message: string } }} Seen
 * @typedef {{ seen: Seen[], calls: number, tokens: number }} Outcome
 * @param {Outcome} direct @param {Outcome} relayed @returns {string[]}
 */
export function differences(direct, relayed) {
  if (direct.seen.length === 1) return between(direct.seen[0], relayed.seen[0]);
  /** @type {Map<string, number[]>} which asks a line is true of */
  const asks = new Map();
  for (const [index, seen] of direct.seen.entries()) {
    for (const line of between(seen, relayed.seen[index])) asks.set(line, [...(asks.get(line) ?? []), index + 1]);
  }
  const listed = (numbers) => `${numbers.slice(0, MANY).join(', ')}${numbers.length > MANY ? ' …' : ''}`;
  return [...asks].map(([line, numbers]) => `ask ${listed(numbers)}: ${line}`);
}

/**
 * What differs in calls of the upstream and tokens that it wrote. Where nothing is shared, fewer are as wrong as more.
 * @param {{ shared?: 'once' | 'may' }} cell @param {Outcome} direct @param {Outcome} relayed
 */
export function costs({ shared }, direct, relayed) {
  const lines = ['calls', 'tokens'].flatMap((what) => {
    const [from, to] = [direct[what], relayed[what]];
    if (to > from) return [`dearer: ${from} ${what} → ${to}`];
    return to < from && !shared ? [`not asked: ${from} ${what} → ${to}`] : [];
  });
  if (shared === 'once' && relayed.calls !== 1) lines.push(`not shared: ${relayed.calls} calls`);
  return lines;
}

/** @param {Seen} direct @param {Seen} relayed */
function between(direct, relayed = { events: [] }) {
  const lines = [];
  const [from, to] = [direct.events.map(text), relayed.events.map(text)];
  const place = from.findIndex((event, index) => event !== to[index]);
  if (place >= 0) lines.push(`event ${place}: ${short(from[place])} → ${short(to[place])}`);
  else if (to.length > from.length) lines.push(`event ${from.length}: none → ${short(to[from.length])}`);
  if (named(direct.error) !== named(relayed.error)) lines.push(`error: ${named(direct.error)} → ${named(relayed.error)}`);
  return lines;
}

const text = (event) => JSON.stringify(event);
const short = (event = 'none') => (event.length > LINE ? `${event.slice(0, LINE)}…` : event);
const named = (error) => (error ? short(`${error.class} ${JSON.stringify(error.message)}`) : 'none');

/** Addresses and names of a run are not the same, and mean nothing. @param {Seen[]} seen @param {string} run */
export function plain(seen, run) {
  const said = JSON.stringify(seen).replaceAll(run, 'RUN').replace(/127\.0\.0\.1:\d+/g, 'HOST');
  return JSON.parse(said);
}
