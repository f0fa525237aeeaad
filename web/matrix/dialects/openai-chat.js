/**
 * `POST …/chat/completions` of OpenAI, and of those who speak it with an accent.
 */

import { TEXT, TOKENS } from '../words.js';
import { data, EVENTS, whole } from './sse.js';

const CREATED = 1_700_000_000;
const USAGE = { prompt_tokens: 7, completion_tokens: 12, total_tokens: 19 };
const FILTERED = { hate: { filtered: false, severity: 'safe' } };
const DONE = 'data: [DONE]\n\n';
/** Of vLLM. */
const FAILED = { type: 'InternalServerError', param: null, code: 500 };
const openaiError = (message, type, code) => ({ error: { message, type, param: null, code } });

const VARIANTS = {
  openai: {},
  /** A first chunk without a choice or an id, that tells about the prompt; an `apim-request-id`. */
  azure: {
    first: {
      choices: [], created: 0, id: '', model: '', object: '',
      prompt_filter_results: [{ prompt_index: 0, content_filter_results: FILTERED }],
    },
    choice: { content_filter_results: FILTERED },
    headers: { 'apim-request-id': 'apim-1', 'x-ms-region': 'Sweden Central' },
  },
  /** Comments while it waits for the model, and an error beside the choice. */
  openrouter: {
    before: ': OPENROUTER PROCESSING\n\n',
    head: { provider: 'Example' },
    choice: { native_finish_reason: null },
    error: (chunk) => {
      const error = { code: 'server_error', message: 'Provider disconnected unexpectedly' };
      return data({ ...chunk({ content: '' }, 'error'), error }) + DONE;
    },
  },
  /** An error of its own shape, then `[DONE]`. */
  vllm: {
    choice: { stop_reason: null, token_ids: null },
    error: () => data({ error: { message: 'EngineCore encountered an issue.', ...FAILED } }) + DONE,
  },
  'vllm, before 0.10': {
    error: () => data({ object: 'error', message: 'Request failed.', ...FAILED }) + DONE,
  },
  mistral: { head: { p: 'abcdef' } },
  /** Heads that are not as they should be. */
  'encoding none': { headers: { 'Content-Encoding': 'none' } },
  'no content type': { headers: { 'Content-Type': 'text/event-stream, text/event-stream' } },
};

function answer(call, { variant }) {
  const kind = VARIANTS[variant];
  const body = call.body ? JSON.parse(call.body) : {};
  const head = (object) => ({ id: 'chatcmpl-1', object, created: CREATED, model: body.model ?? 'm', ...kind.head });
  const chunk = (delta, finish_reason = null) => ({
    ...head('chat.completion.chunk'),
    choices: [{ index: 0, delta, logprobs: null, finish_reason, ...kind.choice }],
  });
  const refusal = (status) => ({ status, body: openaiError(`Refused with ${status}.`, 'invalid_request_error', 'refused') });
  if (!body.stream) {
    const message = { role: 'assistant', content: TEXT, refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }];
    return { ...whole({ ...head('chat.completion'), choices, usage: USAGE }), refusal };
  }
  const wantsUsage = body.stream_options?.include_usage;
  const usage = data({ ...head('chat.completion.chunk'), choices: [], usage: USAGE });
  return {
    head: { ...EVENTS, ...kind.headers },
    pieces: [
      ...(kind.before ? [kind.before] : []),
      ...(kind.first ? [data(kind.first)] : []),
      data(chunk({ role: 'assistant', content: '', refusal: null })),
      ...TOKENS.map((content) => data(chunk({ content }))),
      data(chunk({}, 'stop')),
      ...(wantsUsage ? [usage] : []),
      DONE,
    ],
    error: kind.error?.(chunk) ?? data(openaiError('The server had an error.', 'server_error', 'wall')),
    refusal,
  };
}

export const openaiChat = { variants: Object.keys(VARIANTS), answer };
