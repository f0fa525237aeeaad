/** Streams in React components: what came last, or a text as it is typed. They are closed with their component. */

import { useEffect, useRef, useState } from 'react';
import { EventSource, type EventSourceOptions } from '../event-source.js';
import { type StreamEvent, events } from '../events.js';
import type { StreamOptions } from '../options.js';
import type { StreamMessageEvent } from '../target.js';

export interface UseEventSourceOptions extends EventSourceOptions {
  /** Events to listen for beside `message`. */
  names?: string[];
  /** Called for each event, also for those between two renderings. */
  onEvent?: (event: StreamMessageEvent) => void;
}

export interface EventSourceState {
  /** The last event. */
  event: StreamMessageEvent | undefined;
  readyState: 0 | 1 | 2;
  /** Why the last attempt failed, until one works. */
  error: unknown;
}

const START: EventSourceState = { event: undefined, readyState: 0, error: undefined };

/** Reads the stream at this address; none while it is null. Options count when the address changes. */
export function useEventSource(url: string | null, options: UseEventSourceOptions = {}): EventSourceState {
  const [state, setState] = useState(START);
  const latest = useRef(options);
  latest.current = options;
  useEffect(() => {
    setState(START);
    if (url === null) return undefined;
    const source = new EventSource(url, latest.current);
    const take = (event: StreamMessageEvent) => {
      latest.current.onEvent?.(event);
      setState((before) => ({ ...before, event }));
    };
    for (const name of new Set(['message', ...(latest.current.names ?? [])])) source.addEventListener(name, take);
    source.onopen = () => setState((before) => ({ ...before, readyState: 1, error: undefined }));
    source.onerror = ({ error }) => setState((before) => ({ ...before, readyState: source.readyState, error }));
    return () => source.close();
  }, [url]);
  return state;
}

export interface UseTypedTextOptions extends StreamOptions {
  /** What an event adds to the text; unless set, as AI providers write it. */
  pick?: (event: StreamEvent) => string | null | undefined;
  /**
   * With another one it asks again. Unless set: the text of the body. A body that has none (a form with files, bytes) is asked
   * once for each address; give it a key to ask again.
   */
  key?: string | number | undefined;
}

export interface TypedText {
  text: string;
  isDone: boolean;
  /** It is done, and its last word was missing. */
  isTruncated: boolean;
  error: unknown;
}

const EMPTY: TypedText = { text: '', isDone: false, isTruncated: false, error: undefined };

/**
 * Types the text of the answer at this address; nothing while it is null. It is asked once for each address and key, however
 * often the component is rendered, and also in strict mode.
 */
export function useTypedText(url: string | null, options: UseTypedTextOptions = {}): TypedText {
  const [state, setState] = useState(EMPTY);
  const latest = useRef(options);
  latest.current = options;
  const { body, key = typeof body === 'string' || body instanceof URLSearchParams ? `${body}` : '' } = options;
  useEffect(() => {
    setState(EMPTY);
    if (url === null) return undefined;
    const { pick, key: _, ...rest } = latest.current;
    const stream = events(url, rest);
    let isGone = false;
    const set = (change: (before: TypedText) => TypedText) => {
      if (!isGone) setState(change);
    };
    void (async () => {
      // Strict mode takes the first effect back at once: nothing is asked before that.
      await undefined;
      if (isGone) return;
      try {
        for await (const piece of stream.text(pick)) set((before) => ({ ...before, text: before.text + piece }));
        set((before) => ({ ...before, isDone: true, isTruncated: stream.truncated }));
      } catch (error) {
        set((before) => ({ ...before, error }));
      }
    })();
    return () => {
      isGone = true;
      stream.close();
    };
  }, [url, key]);
  return state;
}
