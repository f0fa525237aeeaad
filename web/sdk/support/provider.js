/**
 * What a provider says: chat completions and responses of the OpenAI kind, Anthropic's messages (`messages.js`). Pure: a
 * request's body in, its answer out. The model's name says how the answer goes:
 *
 * | model | answers |
 * |---|---|
 * | `text` | a text in several scripts |
 * | `tools` | a call of a tool, its arguments in pieces |
 * | `odd` | the text, with CRLF, comments and ids of its own, cut into pieces of 7 bytes |
 * | `late` | the text, whose first token takes 20 s |
 * | `paced` | `count` numbered words, `every` milliseconds, after `first` (as the last message says, in JSON) |
 * | `breaks` | an error in the midst of the text |
 * | `dies` | half of the text, then a cut connection |
 * | `refused`, `busy`, `busy-once`, `down` | 401, 429, 429 the first time, 500 |
 */

import { messages } from './messages.js';
import { ARGUMENTS, pieces, slices, textOf, words } from './words.js';

const CREATED = 1_700_000_000;
const USAGE = { prompt_tokens: 7, completion_tokens: 11, total_tokens: 18 };
/** How long the first token of `late` takes. */
export const LATE_MS = 20_000;

const REFUSALS = {
  refused: [401, 'Incorrect API key provided.', 'invalid_request_error', 'invalid_api_key', {}],
  busy: [429, 'Rate limit reached.', 'requests', 'rate_limit_exceeded', { 'Retry-After': '1' }],
  'busy-once': [429, 'Rate limit reached.', 'requests', 'rate_limit_exceeded', { 'Retry-After': '1' }],
  down: [500, 'The server had an error.', 'server_error', null, {}],
};

/**
 * @typedef {{ wait: number } | { die: true } | { event?: string, id?: string, data: string }} Step
 * @typedef {{ status: number, headers: Record<string, string>, json: unknown }} Whole
 * @typedef {{ steps: Step[], odd: boolean }} Streamed
 */

/**
 * The answer to a request.
 * @param {string} path
 * @param {any} body
 * @param {number} attempt counts from 0
 * @returns {Whole | Streamed}
 */
export function answer(path, body, attempt) {
  const refusal = REFUSALS[body.model];
  if (refusal && !(body.model === 'busy-once' && attempt > 0)) {
    const [status, message, type, code, headers] = refusal;
    return { status, headers, json: { error: { message, type, param: null, code } } };
  }
  const api = path.endsWith('/messages') ? messages : path.endsWith('/responses') ? responses : chat;
  if (!body.stream) return { status: 200, headers: {}, json: api.whole(body) };
  return { steps: paced(body, api.steps(body)), odd: body.model === 'odd' };
}

/** Its own waits, breaks and ends. @param {any} body @param {Step[]} steps @returns {Step[]} */
function paced(body, steps) {
  const half = Math.ceil(steps.length / 2);
  const error = { message: 'The model ran into a wall.', type: 'server_error', param: null, code: 'wall' };
  const told = steps[0].event === 'message_start' ? { type: 'error', error } : { error };
  switch (body.model) {
    case 'late':
      return [{ wait: LATE_MS }, ...steps];
    case 'paced':
      return [{ wait: words(body).first ?? 0 }, ...steps.flatMap((step) => [step, { wait: words(body).every }])];
    case 'odd':
      return steps.map((step, index) => ({ ...step, id: `own-${index}` }));
    case 'breaks':
      return [...steps.slice(0, half), { event: 'error', data: JSON.stringify(told) }];
    case 'dies':
      return [...steps.slice(0, half), { wait: 50 }, { die: true }];
    default:
      return steps;
  }
}

const chat = {
  whole(body) {
    const content = body.model === 'tools' ? null : textOf(body);
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: ARGUMENTS } };
    const message = { role: 'assistant', content, refusal: null, ...(content === null && { tool_calls: [call] }) };
    const reason = content === null ? 'tool_calls' : 'stop';
    const choice = { index: 0, message, logprobs: null, finish_reason: reason };
    return { ...this.head(body, 'chat.completion'), choices: [choice], usage: USAGE };
  },

  steps(body) {
    const deltas = body.model === 'tools' ? this.toolDeltas() : pieces(body).map((content) => ({ content }));
    const chunk = (delta, finish_reason = null) => ({
      ...this.head(body, 'chat.completion.chunk'),
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    });
    const chunks = [
      chunk({ role: 'assistant', content: body.model === 'tools' ? null : '' }),
      ...deltas.map((delta) => chunk(delta)),
      chunk({}, body.model === 'tools' ? 'tool_calls' : 'stop'),
    ];
    if (body.stream_options?.include_usage) {
      chunks.push({ ...this.head(body, 'chat.completion.chunk'), choices: [], usage: USAGE });
    }
    return [...chunks.map((data) => ({ data: JSON.stringify(data) })), { data: '[DONE]' }];
  },

  toolDeltas() {
    const call = (id, name, part) => ({
      tool_calls: [{ index: 0, ...(id && { id, type: 'function' }), function: { ...(name && { name }), arguments: part } }],
    });
    return [call('call_1', 'weather', ''), ...slices(ARGUMENTS).map((part) => call('', '', part))];
  },

  head: (body, object) => ({ id: 'chatcmpl-1', object, created: CREATED, model: body.model }),
};

const responses = {
  whole(body) {
    return this.response(body, 'completed', [this.item(body, 'completed')]);
  },

  steps(body) {
    const item = (status) => this.item(body, status);
    const place = { item_id: item('x').id, output_index: 0 };
    const middle = body.model === 'tools' ? this.toolEvents(place) : this.textEvents(body, place);
    const events = [
      { type: 'response.created', response: this.response(body, 'in_progress', []) },
      { type: 'response.in_progress', response: this.response(body, 'in_progress', []) },
      { type: 'response.output_item.added', output_index: 0, item: item('in_progress') },
      ...middle,
      { type: 'response.output_item.done', output_index: 0, item: item('completed') },
      { type: 'response.completed', response: this.whole(body) },
    ];
    return events.map((event, index) => ({
      event: event.type,
      data: JSON.stringify({ ...event, sequence_number: index }),
    }));
  },

  textEvents(body, item) {
    const place = { ...item, content_index: 0 };
    const part = (text) => ({ type: 'output_text', text, annotations: [], logprobs: [] });
    return [
      { type: 'response.content_part.added', ...place, part: part('') },
      ...pieces(body).map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
      { type: 'response.output_text.done', ...place, text: textOf(body), logprobs: [] },
      { type: 'response.content_part.done', ...place, part: part(textOf(body)) },
    ];
  },

  toolEvents(place) {
    return [
      ...slices(ARGUMENTS).map((delta) => ({ type: 'response.function_call_arguments.delta', ...place, delta })),
      { type: 'response.function_call_arguments.done', ...place, name: 'weather', arguments: ARGUMENTS },
    ];
  },

  item(body, status) {
    const isDone = status === 'completed';
    if (body.model === 'tools') {
      const call = { call_id: 'call_1', name: 'weather', arguments: isDone ? ARGUMENTS : '' };
      return { id: 'fc_1', type: 'function_call', status, ...call };
    }
    const content = [{ type: 'output_text', text: textOf(body), annotations: [], logprobs: [] }];
    return { id: 'msg_1', type: 'message', status, role: 'assistant', content: isDone ? content : [] };
  },

  response(body, status, output) {
    const details = { input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } };
    const usage = { input_tokens: 7, output_tokens: 11, total_tokens: 18, ...details };
    return {
      id: 'resp_1',
      object: 'response',
      created_at: CREATED,
      status,
      model: body.model,
      output,
      error: null,
      incomplete_details: null,
      instructions: null,
      metadata: {},
      parallel_tool_calls: true,
      temperature: 1,
      tool_choice: 'auto',
      tools: [],
      top_p: 1,
      usage: status === 'completed' ? usage : null,
    };
  },
};
