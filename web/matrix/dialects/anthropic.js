/**
 * `POST …/v1/messages` of Anthropic.
 */

import { TEXT, TOKENS } from '../words.js';
import { EVENTS, named, whole } from './sse.js';

const message = (content, stop_reason) => ({
  id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason, stop_sequence: null,
  usage: { input_tokens: 7, output_tokens: stop_reason ? 12 : 1 },
});
const failure = (type, text) => ({ type: 'error', error: { type, message: text }, request_id: 'req-1' });

function answer(call) {
  const refusal = (status) => {
    const type = status === 429 ? 'rate_limit_error' : 'invalid_request_error';
    return { status, body: failure(type, `Refused with ${status}.`) };
  };
  if (!JSON.parse(call.body).stream) return { ...whole(message([{ type: 'text', text: TEXT }], 'end_turn')), refusal };
  const events = [
    { type: 'message_start', message: message([], null) },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    ...TOKENS.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 12 } },
    { type: 'message_stop' },
  ];
  return { head: EVENTS, pieces: events.map(named), error: named(failure('overloaded_error', 'Overloaded')), refusal };
}

export const anthropic = { variants: ['anthropic'], answer };
