/** Components with `tidewire/react`, in strict mode, which starts every effect twice. */

import { StrictMode, createElement as element, useState, version } from 'react';
import { createRoot } from 'react-dom/client';
import { useEventSource, useTypedText } from 'tidewire/react';

window.all = [];
window.react = version;

function Price({ url }) {
  const onEvent = ({ data }) => window.all.push(data);
  const { event, readyState, error } = useEventSource(url, { names: ['price'], onEvent });
  return element('p', { id: 'price' }, [readyState, event?.type, event?.data, error?.code].join(' '));
}

function Answer({ url, body }) {
  const { text, isDone, error } = useTypedText(url, { body, headers: { 'Content-Type': 'application/json' } });
  return element('p', { id: 'answer' }, `${text}${isDone ? '.' : ''}${error ? `! ${error.code} ${error.status}` : ''}`);
}

/** Writes its body inline, so that it is another object with each rendering. */
function Inline({ url, make, again }) {
  const bodies = {
    search: () => new URLSearchParams({ q: 'why?' }),
    form: () => Object.assign(new FormData(), { id: Math.random() }),
    bytes: () => Uint8Array.of(1, 2, 3),
  };
  const { text, isDone, isTruncated, error } = useTypedText(url, { body: bodies[make](), key: again });
  return element('p', { id: 'inline' }, `${text}${isDone ? '.' : ''}${isTruncated ? ' truncated' : ''}${error?.code ?? ''}`);
}

function App() {
  const [shown, show] = useState({});
  window.show = show;
  return [
    shown.price && element(Price, { key: 'price', url: shown.price }),
    shown.inline && element(Inline, { key: `inline ${shown.make}`, url: shown.inline, make: shown.make, again: shown.again }),
    shown.answer !== undefined && element(Answer, { key: 'answer', url: shown.answer, body: shown.body }),
  ];
}

createRoot(document.querySelector('main')).render(element(StrictMode, null, element(App)));
