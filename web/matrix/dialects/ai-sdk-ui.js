/**
 * The UI message stream of Vercel's AI SDK, as an app of one's own answers `useChat`.
 */

import { TOKENS } from '../words.js';
import { data } from './sse.js';

const HEAD = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  'x-vercel-ai-ui-message-stream': 'v1',
  'x-accel-buffering': 'no',
};
const DONE = 'data: [DONE]\n\n';

function answer() {
  const chunks = [
    { type: 'start', messageId: 'm1' },
    { type: 'start-step' },
    { type: 'text-start', id: 't1' },
    ...TOKENS.map((delta) => ({ type: 'text-delta', id: 't1', delta })),
    { type: 'text-end', id: 't1' },
    { type: 'finish-step' },
    { type: 'finish', finishReason: 'stop' },
  ];
  const error = data({ type: 'error', errorText: 'The model ran into a wall.' }) + DONE;
  const refusal = (status) => ({ status, body: { error: `Refused with ${status}.` } });
  return { head: HEAD, pieces: [...chunks.map(data), DONE], error, refusal };
}

export const aiSdkUi = { variants: ['ai-sdk-ui'], answer };
