/**
 * The columns of the matrix: what happens to an answer. Data only.
 *
 * | member | says |
 * |---|---|
 * | `script` | how the upstream answers (`upstream.js`) |
 * | `plain` | the client asks for an answer that is no stream |
 * | `times` | how often the client asks, one after the other |
 * | `twins` | how many ask at the same moment |
 * | `key` | every request carries the same `Idempotency-Key` |
 * | `leave` | the client closes the stream when it has seen the middle |
 * | `cut` | the client's first connection is cut: at the `middle` of the answer, or before its `head` |
 * | `route` | the relay's route, if it is another one (`matrix.js`) |
 * | `shared` | the relay may ask the upstream less often: `once` for all, or (`may`) for clients whose retry it knows |
 * | `only` | the dialects whose clients all have it |
 */

export const CELLS = {
  whole: { script: 'whole' },
  plain: { script: 'whole', plain: true },
  refused: { script: 'refused' },
  retried: { script: 'busy' },
  adopted: { script: 'slow first', cut: 'head', shared: 'may' },
  cut: { script: 'hold', cut: 'middle' },
  closed: { script: 'hold', leave: true },
  again: { script: 'whole', times: 2 },
  joined: { script: 'whole', times: 2, key: true, shared: 'once' },
  twins: { script: 'slow', plain: true, twins: 3, key: true, shared: 'once' },
  many: { script: 'pause', twins: 130, only: [] },
  error: { script: 'error' },
  'error, again': { script: 'error', times: 2, key: true },
  dies: { script: 'dies' },
  'ends early': { script: 'early' },
  'ends early, again': { script: 'early', times: 2, key: true },
  'slow head': { script: 'slow', route: 'early' },
  'slow plain': { script: 'slow', plain: true, route: 'early' },
  pause: { script: 'pause' },
  'goes on': { script: 'goes on', only: ['openai-responses', 'ag-ui'] },
};
