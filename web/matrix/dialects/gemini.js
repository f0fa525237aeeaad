/**
 * `…:streamGenerateContent?alt=sse` and `…:generateContent` of Google: CRLF, and no last word of its own.
 */

import { TEXT, TOKENS } from '../words.js';
import { whole } from './sse.js';

const HEAD = {
  'Content-Type': 'text/event-stream',
  'Content-Disposition': 'attachment',
  'Server-Timing': 'gfet4t7; dur=300',
};
const block = (data) => `data: ${JSON.stringify(data)}\r\n\r\n`;

const chunk = (text, finishReason) => ({
  candidates: [{ content: { parts: [{ text }], role: 'model' }, ...(finishReason && { finishReason }), index: 0 }],
  usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 12, totalTokenCount: 19 },
  modelVersion: 'gemini-9',
  responseId: 'r1',
});
const failure = (code, status, message) => ({ error: { code, message, status } });

function answer(call, { variant }) {
  const refusal = (status) => {
    const name = status === 429 ? 'RESOURCE_EXHAUSTED' : 'INVALID_ARGUMENT';
    return { status, body: failure(status, name, `Refused with ${status}.`) };
  };
  if (!call.path.includes(':streamGenerateContent')) return { ...whole(chunk(TEXT, 'STOP')), refusal };
  const last = TOKENS.length - 1;
  const ends = variant === 'gemini';
  return {
    head: HEAD,
    pieces: TOKENS.map((text, index) => block(chunk(text, ends && index === last ? 'STOP' : undefined))),
    error: block(failure(503, 'UNAVAILABLE', 'The model is overloaded.')),
    refusal,
  };
}

export const gemini = { variants: ['gemini', 'no last word'], answer };
