/**
 * The chat page's logic: blocks of a text that is being typed, what events say, pace.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { pageModule } from './support/module.js';

const { Blocks, pieces, splitControls } = await pageModule('chat/blocks.js');
const { said } = await pageModule('chat/delta.js');
const { Pace, PLACES } = await pageModule('chat/pace.js');

/** @param {string[]} parts */
function blocksOf(parts) {
  const blocks = new Blocks();
  const all = parts.flatMap((part) => blocks.push(part));
  return blocks.open ? [...all, blocks.open] : all;
}

test('paragraphs, headings and code are told apart', () => {
  const text = '# One\ntwo\nlines\n\n```js\nlet a;\n\n  b\n~~~\n```\nthree\r\n~~~~\n~~~ x\n~~~~\n`` ` `` no fence';
  assert.deepEqual(blocksOf([text]), [
    { kind: 'heading', text: 'One' },
    { kind: 'text', text: 'two\nlines' },
    { kind: 'code', text: 'let a;\n\n  b\n~~~' },
    { kind: 'text', text: 'three' },
    { kind: 'code', text: '~~~ x' },
    { kind: 'text', text: '`` ` `` no fence' },
  ]);
});

test('however a text is cut, its blocks are the same', async () => {
  const hostile = await readFile(new URL('../../crates/server/src/demo/upstream/hostile.txt', import.meta.url), 'utf8');
  const whole = blocksOf([hostile]);
  assert.deepEqual(blocksOf([...hostile]), whole);
  for (const size of [2, 3, 7, 1000]) {
    const parts = hostile.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    assert.deepEqual(blocksOf(parts), whole, `parts of ${size}`);
  }
  assert.equal(whole.at(-1).kind, 'code', 'its last fence is never closed');
});

test('a block is bounded, and nothing of it is lost', () => {
  const long = 'x'.repeat(100_000);
  for (const [text, kind] of [[long, 'text'], [`\`\`\`\n${`${'y'.repeat(99)}\n`.repeat(500)}`, 'code']]) {
    const blocks = blocksOf(text.match(/[^]{1,50}/g) ?? []);
    assert.ok(blocks.every((block) => block.text.length < 9_000 && block.kind === kind));
    const joined = blocks.map((block) => block.text).join('').replaceAll('\n', '');
    assert.equal(joined, text.replaceAll(/[`\n]/g, ''));
  }
});

test('code and bold within a paragraph, and nothing else, is more than text', () => {
  const text = 'a `b *c*` **d** ![e](http://f) <b>g</b> ** ` **';
  assert.deepEqual(pieces(text), [
    { kind: 'text', text: 'a ' },
    { kind: 'code', text: 'b *c*' },
    { kind: 'text', text: ' ' },
    { kind: 'bold', text: 'd' },
    { kind: 'text', text: ' ![e](http://f) <b>g</b> ' },
    { kind: 'bold', text: ' ` ' },
  ]);
  assert.deepEqual(splitControls('a\u202eb\tc\n\u2066'), ['a', '\u202e', 'b\tc\n', '\u2066', '']);
});

test('events of both forms are understood, and anything else is nothing', () => {
  const text = (data, type = 'message') => said({ type, data: typeof data === 'string' ? data : JSON.stringify(data) });
  assert.equal(text({ choices: [{ delta: { content: 'a' } }] }).text, 'a');
  assert.equal(text({ type: 'response.output_text.delta', delta: 'b' }, 'response.output_text.delta').text, 'b');
  assert.equal(text({ choices: [{ delta: {}, finish_reason: 'length' }] }).isCut, true);
  const call = { function: { name: 'f', arguments: '{' } };
  assert.equal(text({ choices: [{ delta: { tool_calls: [call] } }] }).tool, 'f {');
  assert.deepEqual(text({ error: { code: 'stopped', message: 'm' } }, 'error').error, { code: 'stopped', message: 'm' });
  assert.deepEqual(text({ type: 'error', code: 'c', message: 'm' }, 'error').error, { code: 'c', message: 'm' });
  const nothing = { text: '', tool: '', error: null, isCut: false };
  for (const odd of ['[DONE]', '', 'null', '7', '[]', '{}', '{"choices":7}', '{"choices":[null]}', '{"choices":[{"delta":{"content":{}}}]}',
    '{"choices":[{"delta":{"tool_calls":[null]}}]}', '{"type":"response.output_text.delta","delta":5}', '{"type":"response.output_item.added"}']) {
    assert.deepEqual(text(odd), nothing, odd);
  }
});

test('the pace has few numbers, however long it takes, and counts each token once', () => {
  const pace = new Pace();
  for (let now = 5_000; now < 605_000; now += 100) pace.add(now);
  assert.ok(pace.series.length <= PLACES);
  assert.equal(pace.tokens, 6_000);
  const sum = pace.series.reduce((total, rate) => total + (rate * pace.widthMs) / 1000, 0);
  assert.ok(Math.abs(sum - 6_000) < 1e-6);
  assert.ok(Math.abs(pace.mean - 10) < 0.01);
  assert.equal(new Pace().mean, null);
});
