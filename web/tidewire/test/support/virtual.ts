/** A session without a driver: a script for a network, and a clock that is a number. Nothing here waits or is asynchronous. */

import { StreamError } from '../../src/error.ts';
import { GAP, gapOf } from '../../src/gap.ts';
import type { StreamOptions } from '../../src/options.ts';
import { Session } from '../../src/session.ts';
import { type Network, ORIGINS, head } from './network.ts';

export interface Seen {
  end: string;
  data: string[];
  gaps: string[];
  waits: number[];
  cursor: string;
}

/** So long a subscription is watched, and so many actions it may take: then it goes on. */
const PATIENCE_MS = 1e7;
const ACTIONS = 1000;
/** When it begins, by the calendar. */
const CALENDAR = Date.UTC(2026, 0, 1);

/** What happens on a body, in order, and when. */
interface Coming {
  at: number;
  tell: (now: number) => void;
}

export function runVirtually(network: Network, options: StreamOptions, chance: number): Seen {
  const session = new Session(`${ORIGINS.a}/s`, options, {});
  const seen: Seen = { end: 'open', data: [], gaps: [], waits: [], cursor: options.lastEventId ?? '' };
  let now = 0;
  let coming: Coming[] = [];
  for (let actions = 0; actions < ACTIONS && now < PATIENCE_MS; actions += 1) {
    const action = session.poll(now);
    switch (action.do) {
      case 'prepare':
        coming = [];
        session.prepared((typeof options.headers === 'function' ? options.headers() : options.headers) as HeadersInit, {}, now);
        break;
      case 'send': {
        const { given, url } = network.ask(action.sent.input as string, action.sent.init);
        if ('refuse' in given) session.failed(new TypeError('fetch failed'), now);
        else if (!('silent' in given)) {
          const { body, then = 'end', after_ms: after = 0 } = given;
          if (body) coming.push({ at: now, tell: (now) => session.bytes(new TextEncoder().encode(body), now) });
          if (then === 'end') coming.push({ at: now + after, tell: (now) => session.ended(now) });
          if (then === 'cut') coming.push({ at: now + after, tell: (now) => session.failed(new StreamError('cut', 'terminated'), now) });
          session.head(head(given, url, new ReadableStream()), now, CALENDAR + now);
        }
        break;
      }
      case 'open':
        session.opened(now);
        break;
      case 'read': {
        const next = coming[0];
        if (next && next.at <= action.until) {
          coming.shift();
          now = Math.max(now, next.at);
          next.tell(now);
        } else now = action.until;
        break;
      }
      case 'wait':
        now = action.until;
        break;
      case 'message':
        if (action.message.event === GAP) seen.gaps.push(gapOf(action.message.data).reason);
        else seen.data.push(action.message.data);
        seen.cursor = action.message.lastEventId;
        session.given();
        break;
      case 'moved':
        seen.cursor = action.cursor;
        break;
      case 'explain':
        session.explained('');
        break;
      case 'failed':
        session.answered(undefined, chance, now);
        break;
      case 'retry':
        seen.waits.push(action.wait);
        break;
      case 'throw':
        return { ...seen, end: action.error instanceof StreamError ? action.error.code : String(action.error) };
      case 'done':
        return { ...seen, end: 'ended' };
    }
  }
  return seen;
}
