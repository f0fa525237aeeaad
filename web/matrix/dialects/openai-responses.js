/**
 * `POST …/responses` of OpenAI.
 */

import { TEXT, TOKENS } from '../words.js';
import { EVENTS, named, whole } from './sse.js';

const ITEM = { item_id: 'msg_1', output_index: 0 };
const PART = { ...ITEM, content_index: 0 };
const USAGE = {
  input_tokens: 7, output_tokens: 12, total_tokens: 19,
  input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 },
};

const part = (text) => ({ type: 'output_text', text, annotations: [], logprobs: [] });
const item = (status, content) => ({ id: 'msg_1', type: 'message', status, role: 'assistant', content });
const response = (status, output, more = {}) => ({
  id: 'resp_1', object: 'response', created_at: 1_700_000_000, status, model: 'm', output, error: null,
  incomplete_details: null, instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1,
  tool_choice: 'auto', tools: [], top_p: 1, usage: status === 'completed' ? USAGE : null, ...more,
});
const completed = () => response('completed', [item('completed', [part(TEXT)])]);

/** How it fails: an event `error`, or the response that failed. */
const ERRORS = {
  error: (number) => ({
    type: 'error', code: 'server_error', message: 'The server had an error.', param: null, sequence_number: number,
  }),
  failed: (number) => ({
    type: 'response.failed',
    response: response('failed', [], { error: { code: 'server_error', message: 'The server had an error.' } }),
    sequence_number: number,
  }),
};

function answer(call, { variant }) {
  const refusal = (status) => ({
    status,
    body: { error: { message: `Refused with ${status}.`, type: 'invalid_request_error', param: null, code: 'refused' } },
  });
  if (!JSON.parse(call.body).stream) return { ...whole(completed()), refusal };
  const deltas = TOKENS.map((delta) => ({ type: 'response.output_text.delta', ...PART, delta, logprobs: [] }));
  const events = [
    { type: 'response.created', response: response('in_progress', []) },
    { type: 'response.in_progress', response: response('in_progress', []) },
    { type: 'response.output_item.added', output_index: 0, item: item('in_progress', []) },
    { type: 'response.content_part.added', ...PART, part: part('') },
    ...deltas,
    { type: 'response.output_text.done', ...PART, text: 'the text', logprobs: [] },
    { type: 'response.content_part.done', ...PART, part: part('the text') },
    { type: 'response.output_item.done', output_index: 0, item: item('completed', [part('the text')]) },
    { type: 'response.completed', response: response('completed', [item('completed', [part('the text')])]) },
  ].map((event, index) => ({ ...event, sequence_number: index }));
  return {
    head: EVENTS,
    pieces: events.map(named),
    error: named(ERRORS[variant](10)),
    more: named({ type: 'response.rate_limits.updated', sequence_number: events.length }),
    refusal,
  };
}

export const openaiResponses = { variants: Object.keys(ERRORS), answer };
