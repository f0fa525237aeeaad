/**
 * The rows of the matrix: clients, what they speak, and the cells that they have no program for.
 */

const CHAT = ['openai', 'openrouter', 'vllm', 'vllm, before 0.10', 'mistral', 'encoding none', 'no content type'];

export const ROWS = {
  'openai-js chat': { dialect: 'openai-chat', variants: CHAT },
  'openai-py chat': { dialect: 'openai-chat', variants: CHAT },
  'openai-js chat.stream': { dialect: 'openai-chat', lacks: ['plain'] },
  'openai-py chat.stream': { dialect: 'openai-chat', lacks: ['plain'] },
  'openai-js azure': { dialect: 'openai-chat', variants: ['azure'] },
  'openai-py azure': { dialect: 'openai-chat', variants: ['azure'] },
};

/** Of the variants beyond a row's first, only these cells: nothing else depends on them. */
export const VARIANT_CELLS = ['whole', 'plain', 'error', 'ends early', 'pause'];
