/** The dialects by their names. */

import { agUi } from './ag-ui.js';
import { aiSdkUi } from './ai-sdk-ui.js';
import { anthropic } from './anthropic.js';
import { cohere } from './cohere.js';
import { gemini } from './gemini.js';
import { mcp } from './mcp.js';
import { ollama } from './ollama.js';
import { openaiChat } from './openai-chat.js';
import { openaiResponses } from './openai-responses.js';
import { openaiRest } from './openai-rest.js';

export const DIALECTS = {
  'ag-ui': agUi,
  'ai-sdk-ui': aiSdkUi,
  anthropic,
  cohere,
  gemini,
  mcp,
  ollama,
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  'openai-rest': openaiRest,
};
