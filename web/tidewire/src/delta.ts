/** What an event of an AI answer adds to its text, in the forms of OpenAI (chat completions, responses) and Anthropic. */

import { StreamError } from './error.js';

/**
 * @returns the text; undefined if the event adds none, or is in none of these forms
 * @throws `StreamError` the event says that the answer failed
 */
export function deltaOf({ type, data }: { type: string; data: string }): string | undefined {
  let value: any;
  try {
    value = JSON.parse(data);
  } catch {}
  const error = value?.error ?? value?.response?.error;
  if (type === 'error' || value?.type === 'error' || error) {
    throw new StreamError('event', textOf(error?.message) ?? textOf(error) ?? textOf(value?.message) ?? data);
  }
  const delta = value?.choices?.[0]?.delta ?? value?.delta;
  switch (value?.type) {
    case 'response.output_text.delta':
    case 'response.refusal.delta':
      return textOf(delta);
    case 'content_block_delta':
      return textOf(delta?.text);
    case undefined:
      return textOf(delta?.content);
    default:
      return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
