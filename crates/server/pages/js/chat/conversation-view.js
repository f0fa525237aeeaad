/**
 * One question and its answer, on the page.
 */

import { HEIGHT, outline } from '../bars.js';
import { oncePerFrame } from '../frame.js';
import { fillTexts, onLanguage, t } from '../i18n.js';
import { Meters } from '../meters.js';
import { element } from '../notice.js';
import { StreamFacts } from '../stream-facts.js';
import { Conversation } from './conversation.js';
import { PLACES } from './pace.js';
import { showShare } from './share.js';
import { TextView } from './text-view.js';

const THANKS_MS = 1_500;

export class ConversationView {
  conversation;
  /** @type {HTMLElement} */
  article;
  #onChange;
  #draw = oncePerFrame(() => this.#show());
  #phase = '';
  #facts;
  #meters;

  /**
   * @param {import('./kept.js').Kept} kept
   * @param {object} options
   * @param {() => number} options.retryMs
   * @param {() => void} options.onChange a phase is over, or a name is known
   */
  constructor(kept, { retryMs, onChange }) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById('conversation'));
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.article = /** @type {HTMLElement} */ (copy.firstElementChild);
    fillTexts(this.article);
    this.#onChange = onChange;
    const text = new TextView(this.#part('chat-text'));
    this.#facts = new StreamFacts((name) => this.#part(name));
    this.#meters = new Meters({ intervals: this.#part('intervals'), journal: this.#part('journal') });
    this.conversation = new Conversation(kept, {
      retryMs,
      onText: (piece) => text.push(piece),
      onEvent: () => this.#meters.add(),
      onChange: () => this.#changed(),
    });
    this.#part('stop').addEventListener('click', () => void this.conversation.stop());
    this.#part('share-button').addEventListener('click', () => void this.#share());
    this.#part('copy-text').addEventListener('click', () => void this.#copy('copy-text', this.conversation.text));
    this.#part('copy-link').addEventListener('click', () => void this.#copy('copy-link', this.#link()));
    onLanguage(() => this.#show());
    this.#show();
  }

  #changed() {
    const { phase, kept } = this.conversation;
    const state = `${phase} ${kept.stream}`;
    if (state !== this.#phase) {
      this.#phase = state;
      this.#onChange();
    }
    this.#draw();
  }

  #show() {
    const { kept, phase, why, tool, pace, isOver, isAway, isStopping, text, connection } = this.conversation;
    this.article.dataset.phase = phase;
    this.#part('question').textContent = kept.prompt || t('chat.shared');
    setText(this.#part('chat-state'), t(isAway ? 'chat.phase.away' : `chat.phase.${phase}`));
    this.#part('chat-state').dataset.phase = isAway ? 'waiting' : shade(phase);
    this.#part('chat-text').setAttribute('aria-busy', String(!isOver));
    this.#part('chat-text').dataset.live = String(phase === 'typing' && !isAway);
    this.#part('chat-tool').hidden = tool === '';
    this.#part('chat-tool').textContent = tool;
    const outcome = this.#part('outcome');
    outcome.hidden = !['stopped', 'interrupted', 'failed', 'refused', 'gone', 'cut'].includes(phase);
    outcome.dataset.kind = phase;
    // Of a stop and of a restart we have our own words.
    const says = ['failed', 'refused'].includes(phase) ? why || (phase === 'refused' ? t('unreachable') : '') : '';
    if (!outcome.hidden) setText(outcome, [t(`chat.outcome.${phase}`), says].filter(Boolean).join(' '));
    this.#part('stop').hidden = isOver;
    this.#button('stop').disabled = isStopping;
    this.#part('share-button').hidden = kept.stream === '';
    this.#part('copy-text').hidden = text === '';
    this.#part('first').textContent =
      kept.firstMs === null ? t('fact.none') : t('chat.ms', { ms: Math.round(kept.firstMs) });
    const mean = pace.mean;
    this.#part('tokens').textContent = pace.tokens > 0 ? t('chat.count', { count: pace.tokens }) : t('fact.none');
    this.#part('pace').textContent =
      mean === null ? t('fact.none') : t('chat.perSecond', { rate: Number(mean.toFixed(mean < 10 ? 1 : 0)) });
    this.#plot(pace.series);
    this.#facts.draw(connection);
    this.#meters.draw(connection);
  }

  /** @param {number[]} series */
  #plot(series) {
    const most = Math.max(...series, 1);
    this.#part('plot').setAttribute('viewBox', `0 0 ${PLACES} ${HEIGHT}`);
    this.#part('plot-path').setAttribute('d', outline(series.map((rate) => rate / most)));
    const words = series.length > 0 ? t('chat.plot', { most: Math.round(most) }) : t('chat.plot.none');
    this.#part('plot').setAttribute('aria-label', words);
  }

  /** The name stands in the fragment, which browsers keep to themselves. */
  #link() {
    return `${location.origin}/chat#${this.conversation.kept.stream}`;
  }

  async #share() {
    const box = this.#part('share');
    box.hidden = !box.hidden;
    this.#part('share-button').setAttribute('aria-expanded', String(!box.hidden));
    if (box.hidden) return;
    const field = /** @type {HTMLInputElement} */ (this.#part('link'));
    field.value = this.#link();
    field.focus();
    field.select();
    const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
    this.#part('share-here').hidden = !isHere;
    await showShare(this.#part('qr'), this.#link());
  }

  /**
   * @param {string} name of the button
   * @param {string} text
   */
  async #copy(name, text) {
    const button = this.#part(name);
    const key = button.dataset.i18n ?? '';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard (plain HTTP beyond loopback, or refused): select it, so that Ctrl+C works.
      if (name === 'copy-text') getSelection()?.selectAllChildren(this.#part('chat-text'));
      else /** @type {HTMLInputElement} */ (this.#part('link')).select();
      return;
    }
    button.textContent = t('copied');
    setTimeout(() => {
      button.textContent = t(key);
    }, THANKS_MS);
  }

  /** @param {string} name @returns {HTMLElement} */
  #part(name) {
    const found = this.article.querySelector(`[data-part="${name}"]`);
    if (!found) throw new Error(`an answer has no ${name}`);
    return /** @type {HTMLElement} */ (found);
  }

  /** @param {string} name */
  #button(name) {
    return /** @type {HTMLButtonElement} */ (this.#part(name));
  }
}

/** Said once, not at each drawing: these are read aloud. @param {HTMLElement} place @param {string} text */
function setText(place, text) {
  if (place.textContent !== text) place.replaceChildren(element('span', '', text));
}

/** The colours that the page has for states. @param {string} phase */
function shade(phase) {
  if (phase === 'done' || phase === 'typing') return 'open';
  if (phase === 'asking' || phase === 'thinking') return 'connecting';
  return phase === 'stopped' || phase === 'cut' ? 'closed' : 'lost';
}
