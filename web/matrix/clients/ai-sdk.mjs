/** Vercel's AI SDK: as a client of providers, and of an app of one's own. */

import { createAnthropic } from '@ai-sdk/anthropic';
import { createCohere } from '@ai-sdk/cohere';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createMistral } from '@ai-sdk/mistral';
import { createOpenAI } from '@ai-sdk/openai';
import { DefaultChatTransport, generateText, streamText } from 'ai';

/** As an app knows its user: a key counts for those who have credentials. */
const SESSION = { Authorization: 'Bearer session' };

/** Names and times that it invents itself. */
const INVENTED = new Set(['id', 'timestamp', 'response', 'responseMessageId', 'messageId', 'performance']);
const told = (value) =>
  JSON.parse(JSON.stringify(value, (key, each) => (INVENTED.has(key) ? undefined : named(each))));
const named = (each) => (each instanceof Error ? { name: each.name, message: each.message } : each);

/**
 * Of every provider.
 * @param {(at: { baseURL: string, apiKey: string, headers: any }) => any} model @param {string} suffix
 */
const provider = (model, suffix) =>
  async function* ({ base, headers, plain }) {
    const asked = { model: model({ baseURL: `${base}${suffix}`, apiKey: 'k', headers }), prompt: 'Hello' };
    if (plain) {
      const { text, finishReason, usage } = await generateText(asked);
      yield { text, finishReason, usage };
      return;
    }
    const abort = new AbortController();
    const { fullStream } = streamText({ ...asked, abortSignal: abort.signal, onError: () => {} });
    try {
      for await (const part of fullStream) yield told(part);
    } finally {
      abort.abort();
    }
  };

/** What `useChat` asks. */
async function* ui({ base, headers }) {
  const transport = new DefaultChatTransport({ api: `${base}/api/chat`, headers: { ...SESSION, ...headers } });
  const message = { id: 'u1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
  const abort = new AbortController();
  const { signal: abortSignal } = abort;
  const asked = { trigger: 'submit-message', chatId: 'c1', messageId: undefined, messages: [message], abortSignal };
  try {
    yield* await transport.sendMessages(asked);
  } finally {
    abort.abort();
  }
}

export default {
  'ai-sdk openai.chat': provider((at) => createOpenAI(at).chat('m'), '/v1'),
  'ai-sdk openai.responses': provider((at) => createOpenAI(at).responses('m'), '/v1'),
  'ai-sdk anthropic': provider((at) => createAnthropic(at)('m'), '/v1'),
  'ai-sdk google': provider((at) => createGoogleGenerativeAI(at)('gemini-9'), '/v1beta'),
  'ai-sdk cohere': provider((at) => createCohere(at)('m'), '/v2'),
  'ai-sdk mistral': provider((at) => createMistral(at)('m'), '/v1'),
  'ai-sdk ui': ui,
};
