/**
 * What is shown of the console's connection. Draws what it is given and keeps nothing but its elements.
 */

import { FetchConnection } from './fetch-connection.js';
import { gapNotice } from './gap.js';
import { t } from './i18n.js';
import { byId, drawNotices } from './notice.js';
import { refusedNotice } from './refused.js';
import { phaseWord, StateView } from './state-view.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./notice.js').Notice} Notice */

const READY_STATES = ['CONNECTING', 'OPEN', 'CLOSED'];

export class SubscriberView {
  #disconnect = /** @type {HTMLButtonElement} */ (byId('disconnect'));
  #notices = byId('console-notices');
  #lastId = byId('console-last-id');
  #reconnects = byId('console-reconnects');
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
   * @param {Connection | FetchConnection | null} connection
   * @param {import('./gap.js').Gap | null} gap
   * @param {import('./subscription-form.js').Transport} chosen for the next connection
   */
  draw(connection, gap, chosen) {
    const byFetch = connection ? connection instanceof FetchConnection : chosen === 'fetch';
    this.#state.draw(phaseWord(connection, byFetch ? 'aborted' : 'closed'), connection);
    byId('ready-state-fact').hidden = byFetch;
    byId('resume-fact').hidden = !byFetch;
    this.#readyState.textContent = readyStateText(connection);
    this.#resume.textContent = resumeText(connection);
    this.#disconnect.textContent = t(byFetch ? 'subscribe.abort' : 'subscribe.disconnect');
    this.#disconnect.disabled = !connection || connection.phase === 'closed';
    this.#lastId.textContent = connection?.cursor || t('fact.none');
    this.#reconnects.textContent = connection ? String(connection.reconnects) : t('fact.none');
    this.#retry.textContent = this.#retryText(connection);
    drawNotices(this.#notices, notices(connection, gap));
  }

  /** @param {Connection | FetchConnection | null} connection */
  #retryText(connection) {
    const announced = t('retry.announced', { ms: this.#retryMs() });
    const outage = connection?.lastOutageMs ?? null;
    if (outage === null) return announced;
    return announced + t('retry.measured', { seconds: (outage / 1000).toFixed(1) });
  }
}

/** @param {Connection | FetchConnection | null} connection */
function readyStateText(connection) {
  if (!connection || connection instanceof FetchConnection) return t('fact.none');
  return `${connection.readyState} ${READY_STATES[connection.readyState]}`;
}

/** @param {Connection | FetchConnection | null} connection */
function resumeText(connection) {
  const resume = connection instanceof FetchConnection ? connection.resume : '';
  if (resume === '') return t('fact.none');
  return ['live', 'resumed', 'gap'].includes(resume) ? t(`resume.${resume}`) : resume;
}

/**
 * @param {Connection | FetchConnection | null} connection
 * @param {import('./gap.js').Gap | null} gap
 * @returns {Notice[]}
 */
function notices(connection, gap) {
  /** @type {Notice[]} */
  const notices = [];
  if (gap) notices.push(gapNotice(gap));
  const closure = connection?.closure;
  if (closure?.kind === 'ended') {
    const text = t(connection instanceof FetchConnection ? 'ended.whole' : 'ended.text');
    notices.push({ kind: 'ended', title: t('ended.title'), lines: [text] });
  } else if (closure?.kind === 'refused') {
    notices.push(refusedNotice(closure));
  } else if (closure?.kind === 'passing') {
    notices.push({ kind: 'refused', title: t('refused.title'), lines: [t('refused.blocked')] });
  } else if (connection instanceof FetchConnection && connection.trouble && !closure) {
    const lines = [connection.trouble.describe(), t('trouble.next')];
    notices.push({ kind: 'trouble', title: t('trouble.title'), lines });
  }
  return notices;
}
