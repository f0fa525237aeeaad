/**
 * The page: wires the language switch, the typing answer and the console, and gives them the time.
 */

import { Answer } from './answer.js';
import { startCopyButtons } from './copy.js';
import { language, onLanguage, setLanguage, startLanguage, t, texts } from './i18n.js';
import { readInfo } from './info.js';
import { byId } from './notice.js';
import { Publisher } from './publisher.js';
import { Subscriber } from './subscriber.js';
import { showTokenField, startTokenField } from './token.js';
import { startTopicsField } from './topics.js';

/** How often waits and silences are looked at. */
const TICK_MS = 250;
/** If the server does not say: what it sends by default. */
const DEFAULT_RETRY_MS = 1_000;

/** @type {import('./info.js').Info | null} */
let info = null;
const retryMs = () => info?.retry_ms ?? DEFAULT_RETRY_MS;

startLanguage();
startCopyButtons();
startTokenField();
startTopicsField();
new Publisher();
const subscriber = new Subscriber({ retryMs });
const answer = new Answer({
  retryMs,
  onShowEvents: (topic) => {
    subscriber.show(topic);
    byId('console-title').scrollIntoView();
  },
});
setInterval(() => {
  answer.tick();
  subscriber.tick();
}, TICK_MS);

const choices = [...document.querySelectorAll('[data-language]')];
for (const choice of choices) {
  const chosen = choice.getAttribute('data-language') === 'zh' ? 'zh' : 'en';
  choice.addEventListener('click', () => setLanguage(chosen));
}
onLanguage(draw);
draw();
info = await readInfo();
draw();
if (info?.tokens.publish || info?.tokens.read) showTokenField();

function draw() {
  for (const choice of choices) {
    const pressed = choice.getAttribute('data-language') === language();
    choice.setAttribute('aria-pressed', String(pressed));
  }
  byId('token-why').textContent = info ? whyToken(info.tokens) : '';
  byId('about').textContent = info ? aboutServer(info) : 'Tidewire';
}

/** @param {import('./info.js').Info} info */
function aboutServer({ version, archive, heartbeat_s: heartbeat }) {
  const key = `archive.${archive}`;
  return t('about', { version, heartbeat, archive: key in texts.en ? t(key) : archive });
}

/** @param {import('./info.js').Tokens} tokens */
function whyToken({ publish, read }) {
  if (publish) return t(read ? 'token.both' : 'token.publish');
  return read ? t('token.read') : '';
}
