/**
 * `POST …/v2/chat` of Cohere.
 */

import { TEXT, TOKENS } from '../words.js';
import { EVENTS, named, whole } from './sse.js';

const USAGE = { billed_units: { input_tokens: 7, output_tokens: 12 }, tokens: { input_tokens: 7, output_tokens: 12 } };
const text = (words) => ({ message: { content: { type: 'text', text: words } } });
const end = (finish_reason, more) => named({ type: 'message-end', delta: { finish_reason, usage: USAGE, ...more } });

const VARIANTS = { cohere: '', 'done': 'data: [DONE]\n\n' };

function answer(call, { variant }) {
  const refusal = (status) => ({ status, body: { id: 'c1', message: `Refused with ${status}.` } });
  if (!JSON.parse(call.body).stream) {
    const message = { role: 'assistant', content: [{ type: 'text', text: TEXT }] };
    return { ...whole({ id: 'c1', finish_reason: 'COMPLETE', message, usage: USAGE }), refusal };
  }
  const start = { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] };
  return {
    head: EVENTS,
    pieces: [
      named({ type: 'message-start', id: 'c1', delta: { message: start } }),
      named({ type: 'content-start', index: 0, delta: text('') }),
      ...TOKENS.map((words) => named({ type: 'content-delta', index: 0, delta: { message: { content: { text: words } } } })),
      named({ type: 'content-end', index: 0 }),
      end('COMPLETE'),
      ...(VARIANTS[variant] ? [VARIANTS[variant]] : []),
    ],
    error: end('ERROR', { error: 'The generation failed.' }),
    refusal,
  };
}

export const cohere = { variants: Object.keys(VARIANTS), answer };
