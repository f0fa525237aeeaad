/** AG-UI's client. */

import { HttpAgent } from '@ag-ui/client';

/** As an app knows its user: a key counts for those who have credentials. */
const SESSION = { Authorization: 'Bearer session' };

async function* run({ base, headers }) {
  const agent = new HttpAgent({ url: `${base}/agent`, headers: { ...SESSION, ...headers } });
  const input = { threadId: 't1', runId: 'r1', messages: [], tools: [], context: [], state: {}, forwardedProps: {} };
  // Its stream calls, this generator gives: what has come waits here.
  const came = [];
  let wake = () => {};
  const put = (one) => {
    came.push(one);
    wake();
  };
  const subscription = agent.run(input).subscribe({
    next: (event) => put({ event }),
    error: (error) => put({ error }),
    complete: () => put({ isOver: true }),
  });
  try {
    for (;;) {
      while (came.length === 0) await new Promise((resolve) => (wake = resolve));
      const { event, error, isOver } = came.shift();
      if (error) throw error;
      if (isOver) return;
      yield event;
    }
  } finally {
    subscription.unsubscribe();
    agent.abortRun();
  }
}

export default { 'ag-ui run': run };
