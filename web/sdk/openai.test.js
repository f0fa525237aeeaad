/**
 * OpenAI's own SDKs, in Python and JavaScript, unmodified but for the base URL: what a program sees through the relay is what
 * it sees of the provider itself, event by event.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Server } from '../browser/support/server.js';
import { CLIENTS, runCases } from './support/client.js';
import { LATE_MS } from './support/provider.js';
import { until } from './support/until.js';
import { Upstream } from './support/upstream.js';

/** What each case is to bring, so that two equal failures are no success. */
const SAME = {
  chat: ends('request'),
  'chat-stream': ends('events'),
  'chat-tools': ends('request'),
  'chat-tools-stream': ends('events'),
  'chat-accumulated': ends('events'),
  'chat-odd': ends('events'),
  responses: ends('request'),
  'responses-stream': ends('events'),
  'responses-tools': ends('request'),
  'responses-tools-stream': ends('events'),
  'responses-accumulated': ends('events'),
  refused: ends('AuthenticationError', 401),
  'refused-stream': ends('AuthenticationError', 401),
  busy: ends('RateLimitError', 429),
  'busy-once': ends('request'),
  down: ends('InternalServerError', 500),
  breaks: ends('APIError'),
  'responses-breaks': ends('APIError'),
};
/** Python has a second client, which reads streams by itself. */
const OWN = {
  python: { 'chat-async': ends('events'), 'responses-async': ends('events'), 'breaks-async': ends('APIError') },
  javascript: {},
};
const OTHER = ['dies', 'with-key'];

/** @type {Upstream} */
let upstream;
/** @type {Server} */
let server;
/** What takes long and waits for nothing here runs beside the rest: by language, runs of `late` and `late-impatient`. */
const late = {};

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({}, `
    heartbeat = "1s"
    [[relay]]
    path = "/v1"
    upstream = "${upstream.url}"
    commit_after = "1s"
    [[relay]]
    path = "/brief"
    upstream = "${upstream.url}"
    on_disconnect = "cancel"
  `);
  const languages = Object.keys(CLIENTS).filter((language) => !CLIENTS[language].missing);
  for (const language of languages) late[language] = runLate(language);
});
after(async () => {
  await server?.kill();
  upstream?.close();
});

for (const [language, { missing }] of Object.entries(CLIENTS)) {
  describe(`the ${language} SDK`, { skip: missing }, () => {
    const [own, relayed] = [`${language}-direct`, `${language}-relayed`];
    const same = { ...SAME, ...OWN[language] };
    const cases = [...Object.keys(same), ...OTHER];
    const relay = () => `${server.url}/v1`;
    let direct, through;

    before(async () => {
      [direct, through] = await Promise.all([
        runCases(language, upstream.url, own, cases),
        runCases(language, relay(), relayed, cases),
      ]);
    });

    for (const [name, isAsMeant] of Object.entries(same)) {
      test(`${name}: the same through the relay`, () => {
        isAsMeant(direct.get(name));
        assert.deepEqual(through.get(name), direct.get(name));
      });
    }

    test('the upstream is asked as often and in the same words', () => {
      const asked = (key) => upstream.calls.filter((call) => call.key === key && isPlain(call)).map(essence);
      assert.deepEqual(asked(relayed), asked(own));
      assert.equal(upstream.callsOf(relayed, 'busy').length, 1);
      assert.equal(upstream.callsOf(relayed, 'busy-once').length, 2, 'its client asked again');
      assert.equal(upstream.callsOf(relayed, 'down').length, 2, 'its client asked again');
    });

    test('an upstream that dies in mid-answer is raised as an APIError', () => {
      const [whole, cut] = [direct.get('dies'), through.get('dies')];
      const before = whole.filter((event) => !event.raised);
      assert.ok(before.length > 3);
      assert.deepEqual(cut.slice(0, -1), before);
      const { raised, code, body } = cut.at(-1);
      assert.deepEqual([raised, code, body.type], ['APIError', 'upstream_died', 'tidewire_error']);
    });

    test('a retry with the same Idempotency-Key gets the same answer, and the upstream is not asked again', () => {
      const [first, again] = through.get('with-key');
      assert.ok(first.length > 3);
      assert.deepEqual(again, first);
      assert.deepEqual(first, direct.get('with-key')[0]);
      const asked = (key) => upstream.callsOf(key, 'text').filter((call) => call.body.user === 'with-key').length;
      assert.deepEqual([asked(own), asked(relayed)], [2, 1]);
    });

    test('a program that has enough is seen to go by the upstream', async () => {
      const key = `${language}-brief`;
      const seen = await runCases(language, `${server.url}/brief`, key, ['gone']);
      assert.equal(seen.get('gone').length, 3);
      const [call] = upstream.callsOf(key, 'paced');
      await until(() => call.isOver);
      assert.ok(call.hasLost, 'it was read to its end');
    });

    test(`a first token after ${LATE_MS / 1000} s comes, also where nothing may be silent for 5 s`, async () => {
      const [alone, relayed, impatientAlone, impatientRelayed] = await late[language];
      ends('events')(alone);
      assert.deepEqual(relayed, alone);
      assert.deepEqual(impatientRelayed, alone);
      assert.match(impatientAlone.at(-1).raised, /^API(Connection)?Timeout(Error)?$/i, 'without a relay it gives up');
    });
  });
}

/** @param {keyof typeof CLIENTS} language */
function runLate(language) {
  const bases = { [`${language}-direct`]: upstream.url, [`${language}-relayed`]: `${server.url}/v1` };
  const runs = ['late', 'late-impatient'].flatMap((name) =>
    Object.entries(bases).map(async ([key, base]) => (await runCases(language, base, key, [name])).get(name)),
  );
  const all = Promise.all(runs);
  all.catch(() => {}); // said by the test that waits for it
  return all;
}

/** Asked once each way, by cases that run in one order. @param {import('./support/upstream.js').Call} call */
const isPlain = ({ body }) => !['late', 'dies'].includes(body.model) && body.user !== 'with-key';

/** @param {import('./support/upstream.js').Call} call */
function essence({ path, body, headers }) {
  // A connection's own, and what is asked of the packing of bytes.
  const { host, connection, 'accept-encoding': _, 'content-length': __, ...rest } = headers;
  return { path, body, headers: { ...rest, authorization: '' } };
}

/** A look at what was seen: its kind and its end. @param {string} kind @param {number} [status] */
function ends(kind, status) {
  return (seen) => {
    const last = seen.at(-1);
    if (kind === 'request') return assert.match(last, /^req-/);
    if (kind !== 'events') return assert.deepEqual([last.raised, last.status ?? undefined], [kind, status]);
    assert.ok(seen.length > 3 || Array.isArray(seen[0]), JSON.stringify(seen));
    assert.equal(last.raised, undefined, JSON.stringify(last));
  };
}
