/**
 * AG-UI, as an agent answers `POST` with a thread and a run.
 */

import { TOKENS } from '../words.js';
import { data } from './sse.js';

const HEAD = { 'Content-Type': 'text/event-stream' };

function answer(call) {
  const { threadId, runId } = JSON.parse(call.body);
  const run = { threadId, runId };
  const events = [
    { type: 'RUN_STARTED', ...run },
    { type: 'TEXT_MESSAGE_START', messageId: 'm1', role: 'assistant' },
    ...TOKENS.map((delta) => ({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta })),
    { type: 'TEXT_MESSAGE_END', messageId: 'm1' },
    { type: 'RUN_FINISHED', ...run },
  ];
  const again = ['RUN_STARTED', 'RUN_FINISHED'].map((type) => ({ type, threadId, runId: `${runId}-2` }));
  const refusal = (status) => ({ status, body: { error: `Refused with ${status}.` } });
  return {
    head: HEAD,
    pieces: events.map(data),
    error: data({ type: 'RUN_ERROR', message: 'The agent failed.', code: 'wall' }),
    more: again.map(data).join(''),
    refusal,
  };
}

export const agUi = { variants: ['ag-ui'], answer };
