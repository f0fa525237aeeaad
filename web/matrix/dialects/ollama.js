/**
 * `POST …/api/chat` and `…/api/generate` of Ollama: lines of JSON. An answer streams unless the request says otherwise.
 */

import { TEXT, TOKENS } from '../words.js';
import { whole } from './sse.js';

const HEAD = { 'Content-Type': 'application/x-ndjson' };
const base = { model: 'm', created_at: '2026-11-30T12:00:00Z' };
const END = { done_reason: 'stop', done: true, total_duration: 5, load_duration: 1, prompt_eval_count: 7, eval_count: 12 };
/** As Go writes JSON: line separators of Unicode, which some clients take for line ends, are escaped. */
const escaped = (one) => `\\u${one.charCodeAt(0).toString(16)}`;
const line = (value) => `${JSON.stringify(value).replace(/[\u2028\u2029]/g, escaped)}\n`;

function answer(call) {
  const isGenerate = call.path.endsWith('/generate');
  const said = (text) => (isGenerate ? { response: text } : { message: { role: 'assistant', content: text } });
  const refusal = (status) => ({ status, body: { error: `refused with ${status}` } });
  if (JSON.parse(call.body).stream === false) return { ...whole({ ...base, ...said(TEXT), ...END }), refusal };
  return {
    head: HEAD,
    pieces: [...TOKENS.map((text) => line({ ...base, ...said(text), done: false })), line({ ...base, ...said(''), ...END })],
    error: line({ error: 'an error was encountered while running the model' }),
    refusal,
  };
}

export const ollama = { variants: ['ollama'], answer };
