/** TanStack AI's connection, which speaks AG-UI and comes back by `Last-Event-ID`. */

import { fetchServerSentEvents } from '@tanstack/ai-client';

/** As an app knows its user: a key counts for those who have credentials. */
const SESSION = { Authorization: 'Bearer session' };

async function* connect({ base, headers }) {
  const abort = new AbortController();
  const connection = fetchServerSentEvents(`${base}/agent`, { headers: { ...SESSION, ...headers } });
  const message = { id: 'u1', role: 'user', parts: [{ type: 'text', content: 'Hello' }] };
  try {
    yield* connection.connect([message], {}, abort.signal, { threadId: 't1', runId: 'r1' });
  } finally {
    abort.abort();
  }
}

export default { 'tanstack connect': connect };
