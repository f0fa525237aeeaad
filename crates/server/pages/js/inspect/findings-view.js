/**
 * What the doctor says of a stream: asked when it is shown, when it has changed, and when it is over. The doctor's own
 * words are in English.
 */

import { onLanguage, t } from '../i18n.js';
import { byId, element } from '../notice.js';

/**
 * @typedef {object} Finding
 * @property {string} code
 * @property {'error' | 'warning' | 'note' | 'fine'} severity
 * @property {string} what
 * @property {string} [why]
 * @property {{ place: string, line: string }[]} [mend]
 */

/** A stream that goes on is not asked about more often. */
const PACE_MS = 3_000;

export class FindingsView {
  /** @type {number | null} */
  #stream = null;
  /** @type {Finding[] | null} */
  #found = null;
  #isGone = false;
  #askedAt = 0;
  /** What was known of the stream when it was asked about. */
  #asked = '';

  constructor() {
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /**
   * @param {import('./model.js').Stream} stream
   * @param {number} now
   */
  look(stream, now) {
    const isAnother = stream.id !== this.#stream;
    const state = `${stream.counts.chunks} ${stream.ending}`;
    if (isAnother) {
      this.#stream = stream.id;
      this.#found = null;
      this.#isGone = false;
      this.#draw();
    } else if (state === this.#asked || (now - this.#askedAt < PACE_MS && stream.ending === null)) {
      return;
    }
    this.#asked = state;
    this.#askedAt = now;
    void this.#ask(stream.id);
  }

  /** @param {number} id */
  async #ask(id) {
    /** @type {Finding[] | null} */
    let found = null;
    let isGone = false;
    try {
      const response = await fetch(`/api/streams/${id}/findings`);
      isGone = response.status === 404;
      if (response.ok) found = await response.json();
    } catch {
      // The page says that the inspector does not answer.
    }
    if (id !== this.#stream || (found === null && !isGone)) return;
    this.#isGone = isGone;
    this.#found = found ?? this.#found;
    this.#draw();
  }

  #draw() {
    const found = this.#found ?? [];
    const fine = found.filter(({ severity }) => severity === 'fine');
    const open = found.filter(({ severity }) => severity !== 'fine');
    byId('findings').replaceChildren(...open.map(row));
    byId('fine').hidden = fine.length === 0;
    byId('fine-count').textContent = t('findings.fine', { count: fine.length });
    byId('fine-list').replaceChildren(...fine.map(row));
    const link = byId('findings-link');
    link.hidden = this.#found === null;
    link.textContent = t('findings.short', { words: words(open) });
    link.dataset.severity = open[0]?.severity ?? 'fine';
    const none = byId('findings-none');
    none.hidden = open.length > 0 && !this.#isGone;
    none.textContent = t(this.#isGone ? 'findings.away' : this.#found ? 'findings.none' : 'findings.asking');
  }
}

/** How many there are of each. @param {Finding[]} open the worst first */
function words(open) {
  const severities = [...new Set(open.map(({ severity }) => severity))];
  const counts = severities.map((severity) => {
    const count = open.filter((finding) => finding.severity === severity).length;
    return t('findings.short.count', { count, severity: t(`severity.${severity}`) });
  });
  return counts.join(', ') || t('findings.short.none');
}

/** @param {Finding} finding */
function row({ code, severity, what, why, mend = [] }) {
  const item = element('li', 'finding', '');
  item.dataset.severity = severity;
  item.dataset.code = code;
  const head = element('p', 'finding-what', '');
  head.append(element('span', 'badge', t(`severity.${severity}`)), ` ${what} `, element('span', 'finding-code wire', code));
  item.append(head);
  if (why) item.append(element('p', 'hint', why));
  for (const { place, line } of mend) {
    const remedy = element('p', 'remedy', '');
    remedy.append(element('strong', '', place), ' ', element('span', 'wire', line));
    item.append(remedy);
  }
  return item;
}
