/** TanStack AI's connection, which speaks AG-UI and comes back by `Last-Event-ID`. */

import { fetchServerSentEvents } from '@tanstack/ai-client';

async function* connect({ base, headers }) {
  const abort = new AbortController();
  const connection = fetchServerSentEvents(`${base}/agent`, { headers });
  const message = { id: 'u1', role: 'user', parts: [{ type: 'text', content: 'Hello' }] };
  try {
    yield* connection.connect([message], {}, abort.signal, { threadId: 't1', runId: 'r1' });
  } finally {
    abort.abort();
  }
}

export default { 'tanstack connect': connect };
