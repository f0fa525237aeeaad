/**
 * The answer of an AI in a stream: its text, its last word, and whether it says that it failed. Each event tells by itself
 * in which dialect it is. The vectors of `crates/client/vectors` are its specification, as they are the Rust client's.
 */

import { StreamError } from './error.js';
import { DONE } from './protocol.js';

export class Answer {
  /** Which provider speaks so; undefined as long as no event is of a known one. */
  dialect: string | undefined;
  /** Its last word has come. */
  isWhole = false;
  /** Nothing can follow. */
  isOver = false;
  /** The dialect always says a last word. */
  #promises = false;
  /** Of answers that are told together, by their index: whether each is finished. */
  readonly #finished = new Map<unknown, boolean>();
  /** The first half of a character: providers that count UTF-16 units send the second with the next event. */
  #half = '';

  /** The end of its body would be too early. */
  get isTruncated(): boolean {
    return this.#promises && !this.isWhole && !this.isOver;
  }

  /**
   * @returns the text that the event adds, if it adds any
   * @throws `StreamError` the event says that the answer failed
   */
  see(name: string, data: string): string | undefined {
    const text = this.#textOf(name, data);
    if (!text) return text;
    const all = this.#half + text;
    this.#half = /[\ud800-\udbff]$/.test(all) ? all.slice(-1) : '';
    return wellFormed(all.slice(0, all.length - this.#half.length));
  }

  /** The text that nothing follows: U+FFFD where the answer ended within a character. */
  rest(): string {
    return wellFormed(this.#half);
  }

  #textOf(name: string, data: string): string | undefined {
    let value: any;
    try {
      value = JSON.parse(data);
    } catch {
      if (isDone(data)) this.#end();
    }
    const kind = typeof value?.type === 'string' ? (value.type as string) : '';
    const [, dialect] = DIALECTS.find(([known]) => known.test(kind)) ?? [];
    if (dialect) this.#is(dialect, !/^(start|finish|abort)$/.test(kind));
    const failure = failureOf(name, kind, value, data);
    if (failure !== undefined) throw new StreamError('event', failure);
    const { choices, candidates } = Object(value);
    if (Array.isArray(choices) || /^(chat\.completion\.chunk|text_completion)$/.test(value?.object)) {
      this.#is('openai-chat', this.#promises);
      return textIn(this.#first(choices, 'finish_reason'));
    }
    if (Array.isArray(candidates) || value?.promptFeedback?.blockReason) {
      this.#is('gemini', false);
      if (!candidates) this.isWhole = true;
      return textIn(this.#first(candidates, 'finishReason'));
    }
    switch (kind) {
      case 'response.completed':
      case 'response.incomplete':
      case 'message_stop':
      case 'message-end':
        this.#end();
        break;
      case 'finish':
      case 'abort':
        if (this.dialect === 'ai-sdk-ui') this.#end();
        break;
      case 'response.cancelled':
        this.isOver = true;
        break;
      case 'RUN_FINISHED':
        this.isWhole = true;
        break;
      case 'RUN_STARTED':
      case 'response.created':
      case 'message_start':
      case 'message-start':
      case 'start':
        // Another one, in the same body or on the same stream.
        this.isWhole = this.isOver = false;
        break;
      case 'response.output_text.delta':
      case 'TEXT_MESSAGE_CONTENT':
      case 'TEXT_MESSAGE_CHUNK':
        return textOf(value.delta);
      case 'content_block_delta':
        return textOf(value.delta?.text);
      case 'content-delta':
        return textOf(value.delta?.message?.content?.text);
      case 'text-delta':
        return textOf(value.delta ?? value.textDelta);
    }
    return undefined;
  }

  #is(dialect: string, promises: boolean): void {
    this.dialect ??= dialect;
    this.#promises ||= promises;
  }

  #end(): void {
    this.isWhole = this.isOver = true;
  }

  /** The first of several answers: together they are no one text. Each says when it is finished. */
  #first(all: any[] | undefined, reason: string): any {
    let first: any;
    for (const one of all ?? []) {
      if (!one) continue;
      const index = one.index ?? 0;
      if (index === 0) first ??= one;
      if (reason === 'finish_reason' && reason in one) this.#promises = true;
      const isFinished = !!one[reason] && one[reason] !== 'CONTINUATION';
      // What is told once more of one that is finished (its usage) is no other answer, unless it has a text.
      if ((isFinished || textIn(one)) && (this.#finished.size < MOST || this.#finished.has(index))) this.#finished.set(index, isFinished);
    }
    if (all?.length) this.isWhole = this.#finished.size > 0 && [...this.#finished.values()].every(Boolean);
    return first ?? {};
  }
}

/** So many answers may be told together; providers allow 128. */
const MOST = 1000;

/** By the type of an event. */
const DIALECTS: [RegExp, string][] = [
  [/^response\./, 'openai-responses'],
  [/^(message_start|content_block_)/, 'anthropic'],
  [/^(message-start|content-delta)$/, 'cohere'],
  [/^(start|start-step|(text|reasoning|tool-input)-(start|delta))$/, 'ai-sdk-ui'],
  [/^(RUN_STARTED|TEXT_MESSAGE_)/, 'ag-ui'],
];

/** Halves without their others are no characters. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

export function isDone(data: string): boolean {
  return data.trim() === DONE;
}

/** What an event says that went wrong. */
function failureOf(name: string, kind: string, value: any, data: string): string | undefined {
  const { delta } = Object(value);
  const isCohere = kind === 'message-end' && (delta?.error || /^(ERROR|ERROR_TOXIC|TIMEOUT)$/.test(delta?.finish_reason));
  const error = kind === 'response.failed' ? value.response?.error : (value?.error ?? value?.choices?.[0]?.error);
  if (name !== 'error' && !/^(error|response\.failed|RUN_ERROR)$/.test(kind) && value?.object !== 'error' && !error && !isCohere) return undefined;
  const said = isCohere ? [delta.error, delta.finish_reason] : [error?.message, value?.message, value?.errorText, error, value];
  return said.find((text) => typeof text === 'string') ?? data;
}

/** The text of an answer that is no stream but an error, as JSON. */
export function failureOfBody(body: string): string | undefined {
  try {
    const value = [JSON.parse(body)].flat()[0];
    return value?.error || value?.object === 'error' ? failureOf('', '', value, body) : undefined;
  } catch {
    return undefined;
  }
}

/** The text in a choice of OpenAI's, or a candidate of Gemini's. */
function textIn({ delta, text, content }: any): string | undefined {
  return textOf(delta?.content) ?? textOf(text) ?? textOf(content?.parts);
}

/** A text, or the texts of a list of parts. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.map((part) => ((part?.type ?? 'text') === 'text' && !part?.thought && textOf(part?.text)) || '').join('');
  return typeof value === 'string' ? value : undefined;
}
