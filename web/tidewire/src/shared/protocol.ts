/** What tabs and the one that reads for them say to each other. */

import type { ErrorCode } from '../error.js';
import type { Message } from '../parser.js';

/** Whose connection it is: tabs that agree in all of it share one. */
export interface Connection {
  url: string;
  withCredentials: boolean;
  headers: Record<string, string>;
}

/** From a tab. */
export interface Wish {
  tab: string;
  topics: string[];
}

/** To tabs. */
export type News =
  | { kind: 'open' }
  /** The place of the connection has moved without an event. */
  | { kind: 'cursor'; cursor: string }
  | { kind: 'message'; message: Message; origin: string }
  /** An attempt failed; `isFinal`: there is no other one. */
  | { kind: 'error'; isFinal: boolean; code?: ErrorCode | undefined; text: string };

/** Whether an event is for who reads these topics. What is of no topic (a gap) is for all. */
export function concerns(topics: ReadonlySet<string>, { topics: of }: Message): boolean {
  return !of || of.some((topic) => topics.has(topic));
}

/** While a tab lives, it holds the lock of this name. */
export const lockOf = (tab: string) => `tidewire:tab:${tab}`;
