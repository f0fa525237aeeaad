/**
 * A page that reads an answer by the browser's own `EventSource`: the stream's address stands behind the `#`.
 */

window.answer = { text: '', isDone: false, error: '', opened: 0 };
const source = new EventSource(decodeURIComponent(location.hash.slice(1)));
source.onopen = () => {
  window.answer.opened += 1;
};
source.onmessage = ({ data }) => {
  if (data === '[DONE]') window.answer.isDone = true;
  else window.answer.text += JSON.parse(data).choices[0].delta.content ?? '';
};
// An event of this name, as well as a cut.
source.onerror = ({ data }) => {
  if (data) window.answer.error = data;
};
window.isClosed = () => source.readyState === EventSource.CLOSED;
