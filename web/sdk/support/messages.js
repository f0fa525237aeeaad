/**
 * Anthropic's messages, streaming and not.
 */

import { ARGUMENTS, pieces, slices, textOf } from './words.js';

export const messages = {
  whole(body) {
    const isTool = body.model === 'tools';
    const content = isTool ? { ...block(isTool), input: JSON.parse(ARGUMENTS) } : { ...block(isTool), text: textOf(body) };
    return { ...message(body), content: [content], stop_reason: reason(isTool), usage: { input_tokens: 7, output_tokens: 11 } };
  },

  steps(body) {
    const isTool = body.model === 'tools';
    const deltas = isTool
      ? slices(ARGUMENTS).map((partial_json) => ({ type: 'input_json_delta', partial_json }))
      : pieces(body).map((text) => ({ type: 'text_delta', text }));
    const events = [
      { type: 'message_start', message: message(body) },
      { type: 'content_block_start', index: 0, content_block: block(isTool) },
      { type: 'ping' },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: reason(isTool), stop_sequence: null }, usage: { output_tokens: 11 } },
      { type: 'message_stop' },
    ];
    return events.map((event) => ({ event: event.type, data: JSON.stringify(event) }));
  },
};

const reason = (isTool) => (isTool ? 'tool_use' : 'end_turn');

const block = (isTool) =>
  isTool ? { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} } : { type: 'text', text: '' };

const message = ({ model }) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 7, output_tokens: 1 },
});
