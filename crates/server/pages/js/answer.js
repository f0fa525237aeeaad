/**
 * The typing answer: which one is shown, how far it has come, and what stands in its way.
 *
 * The answer is named in `location.hash`, so its address can be opened anywhere. What this tab has
 * read of it is in `answer-state.js`; how it looks is in `answer-view.js`.
 */

import { countCharacters, freshState, loadState, mark, saveState } from './answer-state.js';
import { AnswerView } from './answer-view.js';
import { eventsPath } from './addresses.js';
import { ClientStream } from './client-stream.js';
import { explainGap, GAP_EVENT, gapPosition, losesPosition, parseGap } from './gap.js';
import { language, onLanguage, t } from './i18n.js';
import { refusedNotice, wantsToken } from './refused.js';
import { request, RequestError } from './request.js';
import { authorization, onToken, showTokenField } from './token.js';

/** @typedef {import('./notice.js').Notice} Notice */
/** @typedef {import('./watched.js').StreamEvent} StreamEvent */

/** The topics of answers, as `POST /demo/answers` names them. */
const ANSWER_TOPIC = /^demo\/answer-[\w-]+$/;
/** An answer that is being typed and says nothing for so long has probably lost its typist. */
const QUIET_MS = 5_000;

export class Answer {
  #view;
  #retryMs;
  /** @type {import('./answer-state.js').AnswerState | null} */
  #state = null;
  /** @type {ClientStream | null} */
  #connection = null;
  /** A question that did not get through. @type {RequestError | null} */
  #failure = null;

  /**
   * @param {object} options
   * @param {() => number} options.retryMs
   * @param {(topic: string) => void} options.onShowEvents
   */
  constructor({ retryMs, onShowEvents }) {
    this.#retryMs = retryMs;
    this.#view = new AnswerView({
      onAsk: () => void this.#ask(),
      onShowEvents: () => this.#state && onShowEvents(this.#state.topic),
    });
    onLanguage(() => this.#paint());
    onToken(() => this.#tryAgain());
    addEventListener('hashchange', () => this.#follow());
    this.#follow();
  }

  /** Lets what depends on the time move on. */
  tick() {
    this.#draw();
  }

  async #ask() {
    this.#failure = null;
    this.#view.setAsking(true);
    try {
      const response = await request(`/demo/answers?lang=${language()}`, { method: 'POST' });
      const { topic } = await response.json();
      location.hash = topic; // #follow does the rest
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#failure = error;
      this.#draw();
    } finally {
      this.#view.setAsking(false);
    }
  }

  /** Shows the answer that the address names. */
  #follow() {
    const topic = location.hash.slice(1);
    if (topic === this.#state?.topic) return;
    this.#connection?.close();
    this.#connection = null;
    this.#state = null;
    if (ANSWER_TOPIC.test(topic)) {
      this.#state = loadState(topic);
      mark(this.#state, 'reload');
      if (this.#state.fate === 'typing') this.#connect(this.#state);
    }
    this.#paint();
  }

  /** There is another token, and the server may have refused us for the lack of it. */
  #tryAgain() {
    if (this.#state?.fate !== 'typing' || this.#connection?.closure?.kind !== 'refused') return;
    this.#connect(this.#state);
    this.#draw();
  }

  /** @param {import('./answer-state.js').AnswerState} state */
  #connect(state) {
    let reconnects = 0;
    this.#view.begin();
    const connection = new ClientStream({
      path: eventsPath([state.topic], { last_event_id: state.lastEventId ? '' : 'earliest' }),
      lastEventId: state.lastEventId,
      headers: authorization,
      retryMs: this.#retryMs,
      onEvent: (event) => this.#receive(state, event),
      onChange: () => {
        if (connection.reconnects > reconnects) {
          reconnects = connection.reconnects;
          this.#mark(state, 'reconnect');
        }
        if (connection.closure?.kind === 'ended') this.#finish(state, null);
        this.#draw();
      },
    });
    this.#connection = connection;
  }

  /**
   * @param {import('./answer-state.js').AnswerState} state
   * @param {StreamEvent} event
   */
  #receive(state, event) {
    state.lastEventId = event.id;
    this.#view.count();
    if (event.type === 'delta') {
      state.text += event.data;
      this.#view.append(event.data);
    } else if (event.type === 'end') {
      this.#finish(state, expectedCharacters(event.data));
    } else if (event.type === GAP_EVENT) {
      this.#lose(state, event.data);
    }
    saveState(state);
    this.#draw();
  }

  /**
   * @param {import('./answer-state.js').AnswerState} state
   * @param {number | null} expected
   */
  #finish(state, expected) {
    state.fate = 'done';
    state.expected = expected;
    saveState(state);
    this.#connection?.close();
  }

  /**
   * @param {import('./answer-state.js').AnswerState} state
   * @param {string} data of the gap event
   */
  #lose(state, data) {
    state.gap = parseGap(data);
    if (losesPosition(state.gap)) {
      state.fate = 'lost';
      this.#connection?.close();
    }
    this.#mark(state, 'gap');
  }

  /**
   * @param {import('./answer-state.js').AnswerState} state
   * @param {import('./answer-state.js').Mark['kind']} kind
   */
  #mark(state, kind) {
    mark(state, kind);
    this.#view.paintText(state);
  }

  /** Everything, from scratch. */
  #paint() {
    this.#view.paintText(this.#state);
    this.#draw();
  }

  /** Everything but the text. */
  #draw() {
    this.#view.draw(this.#state, this.#connection, this.#notices());
  }

  /** @returns {Notice[]} */
  #notices() {
    const notices = [];
    if (this.#failure) notices.push(failureNotice(this.#failure));
    const state = this.#state;
    if (!state) return notices;
    const enterToken = { label: t('token.enter'), run: () => showTokenField({ focus: true }) };
    const askAgain = { label: t('answer.askAgain'), run: () => void this.#ask() };
    if (state.gap) notices.push(gapNotice(state, askAgain));
    else if (isShort(state)) notices.push(shortNotice(state));
    const connection = this.#connection;
    if (connection?.closure?.kind === 'refused') {
      const action = wantsToken(connection.closure.status) ? enterToken : askAgain;
      notices.push(refusedNotice(connection.closure, action));
    }
    if (connection?.phase === 'open' && performance.now() - connection.heardAt > QUIET_MS) {
      notices.push({ kind: 'quiet', title: t('quiet.title'), lines: [t('quiet.text')], action: askAgain });
    }
    return notices;
  }
}

/** @param {RequestError} failure @returns {Notice} */
function failureNotice(failure) {
  return { kind: 'ask-failed', title: t('askFailed.title'), lines: [failure.describe()] };
}

/**
 * @param {import('./answer-state.js').AnswerState} state
 * @param {Notice['action']} askAgain
 * @returns {Notice}
 */
function gapNotice(state, askAgain) {
  const gap = /** @type {import('./gap.js').Gap} */ (state.gap);
  const lost = state.fate === 'lost';
  return {
    kind: 'gap',
    title: t('gap.title'),
    lines: [explainGap(gap), t(lost ? 'gap.answerStays' : 'gap.answerGoesOn')],
    wire: gapPosition(gap),
    action: lost ? askAgain : undefined,
  };
}

/** Is the text shorter than the server says, without a gap to explain it? @param {import('./answer-state.js').AnswerState} state */
function isShort(state) {
  return state.expected !== null && state.expected !== countCharacters(state);
}

/** @param {import('./answer-state.js').AnswerState} state @returns {Notice} */
function shortNotice(state) {
  const counts = { expected: state.expected ?? 0, actual: countCharacters(state) };
  return { kind: 'short', title: t('mismatch.title'), lines: [t('mismatch.text', counts)] };
}

/** @param {string} data of the end event @returns {number | null} */
function expectedCharacters(data) {
  try {
    const { characters } = JSON.parse(data);
    return Number.isInteger(characters) ? characters : null;
  } catch {
    return null;
  }
}
