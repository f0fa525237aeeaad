/**
 * What a stream may do to its client, and in one word what the client makes of it. A situation is a server that answers
 * attempt by attempt; it is judged by what was asked, and by what the page was handed.
 */

/**
 * @typedef {object} Asked
 * @property {string} method
 * @property {string} body
 * @property {string | undefined} cursor the bytes of `Last-Event-ID`, as UTF-8
 * @property {string | undefined} own the header `X-Own`
 * @property {number} at when
 */
/** @typedef {{ asked: Asked[], seen: string[], failed: (number | null)[] }} Outcome */
/** @typedef {import('node:http').ServerResponse} Answer */
/**
 * @typedef {object} Situation
 * @property {object} [options]
 * @property {boolean} [hides] the page is hidden and shown
 * @property {(answer: Answer, attempt: number, handed: Promise<void>) => void} answer `handed`: its page has an event
 * @property {(outcome: Outcome) => boolean} [enough] nothing that comes later changes the word; else silence ends it
 * @property {(outcome: Outcome) => string} word
 */

const STREAM = { 'Content-Type': 'text/event-stream' };
/** Between pieces. */
const MOMENT_MS = 30;

/**
 * Sends a stream, piece by piece, and then ends it, leaves it open (null), or breaks it once its page has an event of it:
 * bytes that nobody has read yet go with the connection that breaks.
 * @param {Answer} answer @param {string | (string | Buffer)[]} pieces @param {'end' | null | Promise<void>} then
 */
function stream(answer, pieces, then) {
  answer.writeHead(200, STREAM);
  const next = ([piece, ...more]) => {
    if (piece !== undefined) answer.write(piece, () => setTimeout(next, MOMENT_MS, more));
    else if (then === 'end') answer.end();
    else void then?.then(() => answer.destroy());
  };
  next([pieces].flat());
}
const refuse = (answer, status, headers = {}) => answer.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end('{"why":"no"}');

const POST = { method: 'POST', headers: { 'X-Own': 'yes', 'Content-Type': 'application/json' }, body: '{"a":1}' };
/** All take this for the time to wait, but event-source-plus, which waits 2 ms, 4 ms and so on. */
const QUICK = 'retry: 20\n';

/** @type {Record<string, Situation>} */
export const situations = {
  'POST with a body and a header': {
    options: POST,
    answer: (answer) => stream(answer, 'data: a\n\n', null),
    enough: ({ asked }) => asked.length > 0,
    word: ({ asked: [first] }) => (first?.method === 'POST' && first.body === POST.body && first.own === 'yes' ? 'yes' : 'no'),
  },
  'a cut: it asks again after the last id': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}id: 1\ndata: a\n\ndata: b\n\n`, handed) : stream(answer, 'data: c\n\n', null)),
    enough: ({ seen }) => seen.length > 2,
    word: ({ asked, seen }) => (asked[1]?.cursor === '1' && `${seen}` === 'a,b,c' ? 'yes' : 'no'),
  },
  'a cut in the midst of an event': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}id: 1\ndata: a\n\nid: 2\ndata: b\n`, handed) : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked }) => ({ 1: 'comes again', 2: 'is lost' })[asked[1]?.cursor ?? ''] ?? 'begins anew',
  },
  'an id without data': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\nid: 7\n\n`, handed) : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked, seen }) => `${asked[1]?.cursor === '7' ? 'counts' : 'is lost'}${seen.length > 1 ? ', and is an event' : ''}`,
  },
  'a block without data': {
    answer: (answer) => stream(answer, ': heartbeat\n\nretry: 20\n\ndata: a\n\n', null),
    enough: ({ seen }) => seen.includes('a'),
    word: ({ seen }) => (`${seen}` === 'a' ? 'no event' : 'an empty event'),
  },
  'a byte order mark in front of a value': {
    answer: (answer) => stream(answer, 'data: \ufeffa\n\n', null),
    enough: ({ seen }) => seen.length > 0,
    word: ({ seen: [data] }) => (data === '\ufeffa' ? 'kept' : 'lost'),
  },
  'a byte order mark in front of the stream': {
    answer: (answer) => stream(answer, '\ufeffdata: a\n\n', null),
    enough: ({ seen }) => seen.length > 0,
    word: ({ seen: [data] }) => (data === 'a' ? 'dropped' : 'the first event is lost'),
  },
  'lines that end with CR, or with a CRLF that is cut': {
    answer: (answer) => stream(answer, ['data: a\r\rdata: b\r', '\ndata: c\r\n\r', '\ndata: d\n\n'], null),
    enough: ({ seen }) => seen.length > 2,
    word: ({ seen }) => (JSON.stringify(seen) === '["a","b\\nc","d"]' ? 'read' : 'misread'),
  },
  'a character that is cut': {
    answer: (answer) => stream(answer, [Buffer.from('data: 第').subarray(0, 7), Buffer.from('第').subarray(1), '\n\n'], null),
    enough: ({ seen }) => seen.length > 0,
    word: ({ seen: [data] }) => (data === '第' ? 'read' : 'misread'),
  },
  'half an event at the end': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\ndata: half`, 'end') : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ seen }) => (`${seen}` === 'a' ? 'dropped' : 'handed out'),
  },
  'the end of the body': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\n`, 'end') : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked }) => (asked.length > 1 ? 'asks again' : 'is the end'),
  },
  'status 503 with Retry-After': {
    answer: (answer, attempt, handed) => {
      if (attempt === 2) refuse(answer, 503, { 'Retry-After': '1' });
      else stream(answer, `${QUICK}data: a\n\n`, attempt === 1 ? handed : null);
    },
    enough: ({ asked }) => asked.length > 2,
    word: ({ asked }) => (asked.length < 3 ? 'gives up' : asked[2].at - asked[1].at > 950 ? 'asks again, after that time' : 'asks again at once'),
  },
  'an id that is not ASCII': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}id: 第一\ndata: a\n\n`, handed) : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked }) => (asked.length < 2 ? 'never comes back' : asked[1]?.cursor === '第一' ? 'sent as UTF-8' : 'sent wrong'),
  },
  'status 204': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\n`, handed) : answer.writeHead(204).end()),
    word: ({ asked }) => (asked.length === 2 ? 'stops' : 'asks for ever'),
  },
  'status 404': {
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\n`, handed) : refuse(answer, 404)),
    word: ({ asked, failed }) => (asked.length > 2 ? 'asks for ever' : failed.includes(404) ? 'stops, says why' : 'stops'),
  },
  'no event stream (text/html)': {
    answer: (answer, attempt, handed) => {
      if (attempt === 1) stream(answer, `${QUICK}data: a\n\n`, handed);
      else answer.writeHead(200, { 'Content-Type': 'text/html' }).write('data: b\n\n');
    },
    enough: ({ asked, seen }) => asked.length > 2 || seen.length > 1,
    word: ({ asked, seen }) => (seen.length > 1 ? 'is read' : asked.length > 2 ? 'asks for ever' : 'refused'),
  },
  'a POST is cut': {
    options: POST,
    answer: (answer, attempt, handed) => (attempt === 1 ? stream(answer, `${QUICK}data: a\n\n`, handed) : stream(answer, ': \n\n', null)),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked }) => (asked[0]?.method !== 'POST' ? '' : asked.length > 1 ? 'is sent again' : 'is not sent again'),
  },
  'a POST, and its page is hidden and shown': {
    options: POST,
    hides: true,
    answer: (answer) => stream(answer, `${QUICK}data: a\n\n`, null),
    enough: ({ asked }) => asked.length > 1,
    word: ({ asked }) => (asked[0]?.method !== 'POST' ? '' : asked.length > 1 ? 'is sent again' : 'goes on'),
  },
};
