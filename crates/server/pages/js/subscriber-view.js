/**
 * What is shown of the console's connection. Draws what it is given and keeps nothing but its elements.
 */

import { ClientStream } from './client-stream.js';
import { gapNotice } from './gap.js';
import { t } from './i18n.js';
import { byId, drawNotices, setText } from './notice.js';
import { refusedNotice } from './refused.js';
import { phaseWord, StateView } from './state-view.js';
import { StreamFacts } from './stream-facts.js';

/** @typedef {import('./browser-stream.js').BrowserStream} BrowserStream */
/** @typedef {import('./notice.js').Notice} Notice */

const READY_STATES = ['CONNECTING', 'OPEN', 'CLOSED'];

export class SubscriberView {
  #disconnect = /** @type {HTMLButtonElement} */ (byId('disconnect'));
  #notices = byId('console-notices');
  #lastId = byId('console-last-id');
  #facts = new StreamFacts((name) => byId(`console-${name}`));
  #retry = byId('retry');
  #readyState = byId('ready-state');
  #resume = byId('resume');
  #state = new StateView(byId('console-state'));
  #retryMs;

  /** @param {{ retryMs: () => number, onDisconnect: () => void }} options */
  constructor({ retryMs, onDisconnect }) {
    this.#retryMs = retryMs;
    this.#disconnect.addEventListener('click', onDisconnect);
  }

  /**
   * @param {BrowserStream | ClientStream | null} connection
   * @param {import('./gap.js').Gap | null} gap
   * @param {import('./subscription-form.js').Transport} chosen for the next connection
   */
  draw(connection, gap, chosen) {
    const byClient = connection ? connection instanceof ClientStream : chosen === 'client';
    this.#state.draw(phaseWord(connection, byClient ? 'aborted' : 'closed'), connection);
    byId('ready-state-fact').hidden = byClient;
    byId('resume-fact').hidden = !byClient;
    setText(this.#readyState, readyStateText(connection));
    setText(this.#resume, resumeText(connection));
    setText(this.#disconnect, t(byClient ? 'subscribe.abort' : 'subscribe.disconnect'));
    this.#disconnect.disabled = !connection || connection.phase === 'closed';
    setText(this.#lastId, connection?.cursor || t('fact.none'));
    this.#facts.draw(connection);
    setText(this.#retry, this.#retryText(connection));
    drawNotices(this.#notices, notices(connection, gap));
  }

  /** @param {BrowserStream | ClientStream | null} connection */
  #retryText(connection) {
    const announced = t('retry.announced', { ms: this.#retryMs() });
    const outage = connection?.lastOutageMs ?? null;
    if (outage === null) return announced;
    return announced + t('retry.measured', { seconds: (outage / 1000).toFixed(1) });
  }
}

/** @param {BrowserStream | ClientStream | null} connection */
function readyStateText(connection) {
  if (!connection || connection instanceof ClientStream) return t('fact.none');
  return `${connection.readyState} ${READY_STATES[connection.readyState]}`;
}

/** @param {BrowserStream | ClientStream | null} connection */
function resumeText(connection) {
  const resume = connection instanceof ClientStream ? connection.resume : '';
  if (resume === '') return t('fact.none');
  return ['live', 'resumed', 'gap'].includes(resume) ? t(`resume.${resume}`) : resume;
}

/**
 * @param {BrowserStream | ClientStream | null} connection
 * @param {import('./gap.js').Gap | null} gap
 * @returns {Notice[]}
 */
function notices(connection, gap) {
  /** @type {Notice[]} */
  const notices = [];
  if (gap) notices.push(gapNotice(gap));
  const closure = connection?.closure;
  if (closure?.kind === 'ended') {
    const text = t(connection instanceof ClientStream ? 'ended.whole' : 'ended.text');
    notices.push({ kind: 'ended', title: t('ended.title'), lines: [text] });
  } else if (closure?.kind === 'refused') {
    notices.push(refusedNotice(closure));
  } else if (closure?.kind === 'passing') {
    notices.push({ kind: 'refused', title: t('refused.title'), lines: [t('refused.blocked')] });
  } else if (connection instanceof ClientStream && connection.trouble && !closure) {
    const lines = [connection.trouble.describe(), t('trouble.next')];
    notices.push({ kind: 'trouble', title: t('trouble.title'), lines });
  }
  return notices;
}
