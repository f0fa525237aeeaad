/**
 * A page that POSTs by `@microsoft/fetch-event-source`: `ask(body, headers)` keeps what has come in `window.answer`.
 */

import { fetchEventSource } from '@microsoft/fetch-event-source';

const SOON_MS = 50;

window.ask = (body, headers = {}) => {
  window.answer = { text: '', ids: [], isDone: false, cuts: 0, refusal: '' };
  const asked = fetchEventSource('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
    openWhenHidden: true,
    onmessage({ id, data }) {
      window.answer.ids.push(id);
      if (data === '[DONE]') window.answer.isDone = true;
      else window.answer.text += JSON.parse(data).choices[0].delta.content ?? '';
    },
    onerror() {
      window.answer.cuts += 1;
      return SOON_MS;
    },
  });
  asked.catch((error) => {
    window.answer.refusal = String(error);
  });
};
