/** The dialects by their names. */

import { openaiChat } from './openai-chat.js';

export const DIALECTS = { 'openai-chat': openaiChat };
