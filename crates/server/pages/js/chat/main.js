/**
 * The chat page: wires the question, the answers of this tab, those of the address, and the language switch.
 */

import { language, onLanguage, setLanguage, startLanguage, t, texts } from '../i18n.js';
import { readInfo } from '../info.js';
import { byId, drawNotices } from '../notice.js';
import { ConversationView } from './conversation-view.js';
import { newKey, readKept, writeKept } from './kept.js';

/** A browser has six connections for a server without HTTP/2, for all tabs: some must be left. */
const MAX_RUNNING = 3;
const STREAM = /^#([a-z2-7]{26})$/;
/** If the server does not say: what it sends by default. */
const DEFAULT_RETRY_MS = 1_000;

/** @type {import('../info.js').Info | null} */
let info = null;
const retryMs = () => info?.retry_ms ?? DEFAULT_RETRY_MS;
/** The oldest first. @type {ConversationView[]} */
const views = [];

const form = /** @type {HTMLFormElement} */ (byId('ask'));
const prompt = /** @type {HTMLTextAreaElement} */ (byId('prompt'));
const model = /** @type {HTMLSelectElement} */ (byId('model'));

startLanguage();
addEventListener('hashchange', readAddress);
addEventListener('pagehide', keep);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  ask();
});
prompt.addEventListener('keydown', (event) => {
  // Not the Enter that chooses a character while Chinese is written.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});

const choices = [...document.querySelectorAll('[data-language]')];
for (const choice of choices) {
  const chosen = choice.getAttribute('data-language') === 'zh' ? 'zh' : 'en';
  choice.addEventListener('click', () => setLanguage(chosen));
}
onLanguage(draw);
for (const kept of readKept()) add(kept);
readAddress();
draw();
void offerModels();
info = await readInfo();
draw();

function ask() {
  if (running() >= MAX_RUNNING) return;
  add({ key: newKey(), stream: '', prompt: prompt.value.trim() || t('chat.sample'), model: model.value, firstMs: null });
  prompt.value = '';
  prompt.focus();
}

/** @param {import('./kept.js').Kept} kept */
function add(kept) {
  const view = new ConversationView(kept, { retryMs, onChange: changed });
  views.push(view);
  byId('answers').prepend(view.article);
  changed();
}

/** An answer that the address names is shown, if it is not yet. */
function readAddress() {
  const [, stream] = STREAM.exec(location.hash) ?? [];
  if (!stream) return;
  const found = views.find((view) => view.conversation.kept.stream === stream);
  if (found) found.article.scrollIntoView();
  else add({ key: '', stream, prompt: '', model: '', firstMs: null });
}

function running() {
  return views.filter((view) => !view.conversation.isOver).length;
}

function changed() {
  keep();
  draw();
}

function keep() {
  writeKept(views.map((view) => view.conversation.kept));
}

/** What can be asked is what the upstream says; without its list, the demo's first. */
async function offerModels() {
  try {
    const response = await fetch('/v1/models');
    const { data } = await response.json();
    /** @type {string[]} */
    const names = data.map((/** @type {{ id: unknown }} */ one) => String(one.id)).slice(0, 200);
    if (names.length > 0) model.replaceChildren(...names.map((name) => new Option(name, name)));
  } catch {
    // The one in the page stays.
  }
}

function draw() {
  for (const choice of choices) {
    const pressed = choice.getAttribute('data-language') === language();
    choice.setAttribute('aria-pressed', String(pressed));
  }
  const isFull = running() >= MAX_RUNNING;
  /** @type {HTMLButtonElement} */ (byId('send')).disabled = isFull;
  const line = t('chat.full.text', { count: MAX_RUNNING });
  drawNotices(byId('chat-notices'), isFull ? [{ kind: 'ended', title: t('chat.full'), lines: [line] }] : []);
  byId('no-answers').hidden = views.length > 0;
  byId('about').textContent = info ? aboutServer(info) : 'Tidewire';
}

/** @param {import('../info.js').Info} info */
function aboutServer({ version, archive, heartbeat_s: heartbeat }) {
  const key = `archive.${archive}`;
  return t('about', { version, heartbeat, archive: key in texts.en ? t(key) : archive });
}
