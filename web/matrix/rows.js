/**
 * The rows of the matrix: clients, what they speak, and the cells that they have no program for.
 */

const CHAT = ['openai', 'openrouter', 'vllm', 'vllm, before 0.10', 'mistral', 'encoding none', 'no content type'];

/** Helpers that only stream; and those of `responses` take no event after the last word. */
const STREAMS = ['plain', 'slow plain', 'twins'];
/** What an MCP server answers to a call of a tool is no matter of keys, retries or last words. */
const TOOL = ['whole', 'cut', 'closed', 'again', 'error', 'dies', 'ends early', 'slow head', 'pause'];

export const ROWS = {
  'openai-js chat': { dialect: 'openai-chat', variants: CHAT },
  'openai-py chat': { dialect: 'openai-chat', variants: CHAT },
  'openai-py chat, async': { dialect: 'openai-chat' },
  'openai-js chat.stream': { dialect: 'openai-chat', lacks: STREAMS },
  'openai-py chat.stream': { dialect: 'openai-chat', lacks: STREAMS },
  'openai-js azure': { dialect: 'openai-chat', variants: ['azure'] },
  'openai-py azure': { dialect: 'openai-chat', variants: ['azure'] },
  'openai-js many': { dialect: 'openai-chat', cells: ['many'] },
  'openai-js models': { dialect: 'openai-rest', cells: ['whole'] },
  'openai-py models': { dialect: 'openai-rest', cells: ['whole'] },
  'openai-js upload': { dialect: 'openai-rest', cells: ['whole'] },
  'openai-py upload': { dialect: 'openai-rest', cells: ['whole'] },
  'openai-js responses': { dialect: 'openai-responses', variants: ['error', 'failed'] },
  'openai-py responses': { dialect: 'openai-responses', variants: ['error', 'failed'] },
  'openai-js responses.stream': { dialect: 'openai-responses', lacks: [...STREAMS, 'goes on'] },
  'openai-py responses.stream': { dialect: 'openai-responses', lacks: [...STREAMS, 'goes on'] },
  'anthropic-js messages': { dialect: 'anthropic' },
  'anthropic-py messages': { dialect: 'anthropic' },
  'anthropic-js messages.stream': { dialect: 'anthropic', lacks: STREAMS },
  'anthropic-py messages.stream': { dialect: 'anthropic', lacks: STREAMS },
  'google-js generate': { dialect: 'gemini', variants: ['gemini', 'no last word'] },
  'google-py generate': { dialect: 'gemini', variants: ['gemini', 'no last word'] },
  'ollama-js chat': { dialect: 'ollama' },
  'ollama-py chat': { dialect: 'ollama' },
  'ollama-js generate': { dialect: 'ollama' },
  'ollama-py generate': { dialect: 'ollama' },
  'cohere-js chat': { dialect: 'cohere', variants: ['cohere', 'done'] },
  'cohere-py chat': { dialect: 'cohere', variants: ['cohere', 'done'] },
  'mistral-js chat': { dialect: 'openai-chat', variants: ['mistral'] },
  'mistral-py chat': { dialect: 'openai-chat', variants: ['mistral'] },
  'ai-sdk openai.chat': { dialect: 'openai-chat' },
  'ai-sdk openai.responses': { dialect: 'openai-responses', variants: ['error', 'failed'] },
  'ai-sdk anthropic': { dialect: 'anthropic' },
  'ai-sdk google': { dialect: 'gemini' },
  'ai-sdk cohere': { dialect: 'cohere' },
  'ai-sdk mistral': { dialect: 'openai-chat', variants: ['mistral'] },
  'ai-sdk ui': { dialect: 'ai-sdk-ui', lacks: STREAMS },
  'ag-ui run': { dialect: 'ag-ui', lacks: STREAMS },
  'tanstack connect': { dialect: 'ag-ui', lacks: STREAMS },
  'mcp-js call': { dialect: 'mcp', variants: ['mcp', 'json'], cells: TOOL },
  'mcp-py call': { dialect: 'mcp', variants: ['mcp', 'json'], cells: TOOL.filter((cell) => cell !== 'closed') },
};

/** Of the variants beyond a row's first, only these cells: nothing else depends on them. */
export const VARIANT_CELLS = ['whole', 'plain', 'error', 'ends early', 'slow head', 'pause'];
