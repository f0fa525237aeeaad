/** Components with `tidewire/react`, in strict mode, which starts every effect twice. */

import { StrictMode, createElement as element, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useEventSource, useTypedText } from 'tidewire/react';

window.all = [];

function Price({ url }) {
  const onEvent = ({ data }) => window.all.push(data);
  const { event, readyState, error } = useEventSource(url, { names: ['price'], onEvent });
  return element('p', { id: 'price' }, [readyState, event?.type, event?.data, error?.code].join(' '));
}

function Answer({ url, body }) {
  const { text, isDone, error } = useTypedText(url, { body, headers: { 'Content-Type': 'application/json' } });
  return element('p', { id: 'answer' }, `${text}${isDone ? '.' : ''}${error ? `! ${error.code} ${error.status}` : ''}`);
}

function App() {
  const [shown, show] = useState({});
  window.show = show;
  return [
    shown.price && element(Price, { key: 'price', url: shown.price }),
    shown.answer !== undefined && element(Answer, { key: 'answer', url: shown.answer, body: shown.body }),
  ];
}

createRoot(document.querySelector('main')).render(element(StrictMode, null, element(App)));
