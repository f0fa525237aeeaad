/** What counts as an event stream. */

import { expect, test } from 'vitest';
import { isEventStream } from '../src/content-type.ts';

test.each([
  ['text/event-stream', true],
  ['Text/Event-Stream;charset=UTF-8', true],
  ['\ttext/event-stream ; charset=utf-8', true],
  ['application/json, text/event-stream', true],
  ['text/event-stream, */*', true],
  ['text/event-stream, nonsense, ', true],
  ['application/json;x="a, text/html", text/event-stream', true],
  ['text/event-stream;x="a, text/html"', true],
  ['text/event-stream, text/html', false],
  ['text/html;x=", text/event-stream', false],
  ['text/html;x="\\", text/event-stream"', false],
  ['text/event-streams', false],
  ['text/event-stream x', false],
  ['text/ event-stream', false],
  ['event-stream', false],
  ['', false],
  [null, false],
])('%j: %j', (header, is) => expect(isEventStream(header)).toBe(is));
