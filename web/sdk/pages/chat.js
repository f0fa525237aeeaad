/**
 * A page with `useChat({ resume: true })`. The chat's name stands behind the `#`; what its user wrote is kept in the page's
 * storage, as an app keeps it in its own.
 */

import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';
import { createElement as element } from 'react';
import { createRoot } from 'react-dom/client';

const API = '/app/api/chat';
const id = location.hash.slice(1);
const saved = JSON.parse(localStorage.getItem(id) ?? '[]');
const transport = new DefaultChatTransport({ api: API });

function Chat() {
  const { messages, sendMessage, stop: leave, status, error } = useChat({ id, messages: saved, resume: true, transport });
  const send = () => {
    const text = document.querySelector('#prompt').value;
    localStorage.setItem(id, JSON.stringify([{ id: 'asked', role: 'user', parts: [{ type: 'text', text }] }]));
    sendMessage({ text });
  };
  // `stop()` of `useChat` leaves this page's reading; what stops the answer is this.
  const stop = () => fetch(`${API}/${id}/stream`, { method: 'DELETE' });
  const said = messages.filter(({ role }) => role === 'assistant').flatMap(({ parts }) => parts);
  return element(
    'section',
    {},
    element('input', { id: 'prompt' }),
    element('button', { id: 'send', onClick: send }, 'Send'),
    element('button', { id: 'stop', onClick: stop }, 'Stop'),
    element('button', { id: 'leave', onClick: leave }, 'Leave'),
    element('p', { id: 'status' }, status),
    element('p', { id: 'error' }, error?.message ?? ''),
    element('p', { id: 'said' }, said.map(({ text }) => text ?? '').join('')),
    element('p', { id: 'count' }, messages.length),
  );
}

createRoot(document.querySelector('main')).render(element(Chat));
