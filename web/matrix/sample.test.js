/**
 * A sample of the matrix: for each way in which a relay could do harm, the client that it would hurt first. The whole of it is
 * run by `cargo xtask soak clients`.
 */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { matrix } from './matrix.js';

const SAMPLE = {
  'openai-js chat': ['whole', 'adopted', 'cut', 'error, again'],
  'openai-py chat': ['closed', 'twins', 'dies', 'ends early, again'],
  'openai-js responses': ['goes on', 'dies'],
  'anthropic-js messages': ['dies', 'pause'],
  'anthropic-py messages': ['adopted'],
  'google-js generate': ['whole', 'error'],
  'google-py generate': ['pause', 'dies'],
  'cohere-py chat': ['dies'],
  'mistral-js chat': ['dies', 'pause'],
  'ollama-py chat': ['slow head', 'pause', 'error', 'joined'],
  'ai-sdk openai.responses': ['dies'],
  'ai-sdk ui': ['dies', 'closed'],
  'ag-ui run': ['dies', 'ends early'],
  'tanstack connect': ['pause'],
  'mcp-js call': ['cut'],
  'mcp-py call': ['ends early'],
};

const isSample = ({ row, cell }) => SAMPLE[row]?.includes(cell) ?? false;

describe('clients see through the relay what they see without it', () => {
  /** @type {Awaited<ReturnType<typeof matrix>>} */
  let ran;
  before(async () => {
    ran = await matrix(isSample);
  });

  for (const [row, cells] of Object.entries(SAMPLE)) {
    for (const cell of cells) {
      test(`${row}: ${cell}`, (context) => {
        const result = ran.results.find((each) => each.row === row && each.cell === cell);
        if (!result) return context.skip(`this client does not run here: ${JSON.stringify(ran.ignored)}`);
        assert.deepEqual(result.wrong, []);
      });
    }
  }
});
