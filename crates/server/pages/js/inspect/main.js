/**
 * The inspector's page: what the tap tells, the list of streams, the one that is looked at, and the language switch.
 */

import { startCopyButtons } from '../copy.js';
import { oncePerFrame } from '../frame.js';
import { addTexts, language, onLanguage, setLanguage, startLanguage, t } from '../i18n.js';
import { IntervalPlot } from '../interval-plot.js';
import { byId, drawNotices } from '../notice.js';
import { bytes } from '../units.js';
import { AttemptsView } from './attempts-view.js';
import { FactsView } from './facts-view.js';
import { Feed } from './feed.js';
import { FindingsView } from './findings-view.js';
import { GroupsView } from './groups-view.js';
import { ItemsView } from './items-view.js';
import { groupKey, groups } from './model.js';
import { phaseOf, stateText } from './state.js';
import { en } from './texts-en.js';
import { zh } from './texts-zh.js';

/** @typedef {import('./model.js').Stream} Stream */
/** @typedef {{ version: string, tap: string, upstream: string, bounds: { streams: number, items: number, bytes: number } }} About */

/** How often silences are looked at. */
const TICK_MS = 1_000;
/** When the inspector is asked again that did not answer. */
const AGAIN_MS = 1_000;

addTexts({ en, zh });
startLanguage();
startCopyButtons();

/** Oldest first. @type {Map<number, Stream>} */
let streams = new Map();
let passed = 0;
let isAway = false;
/** The stream that is looked at. @type {number | null} */
let picked = null;
/** Somebody has chosen: what is new does not take its place, but for the same reader's next connection. */
let isChosen = false;
const about = await readAbout();

const draw = oncePerFrame(drawAll);
const groupsView = new GroupsView((key) => {
  const last = [...streams.values()].filter((stream) => groupKey(stream) === key).at(-1);
  if (last) choose(last.id);
});
const attemptsView = new AttemptsView(choose);
const factsView = new FactsView();
const findingsView = new FindingsView();
const intervals = new IntervalPlot(byId('intervals'));
const itemsView = new ItemsView({
  limit: about.bounds.items,
  keptBytes: about.bounds.bytes,
  onRaw: () => follow(),
});
const feed = new Feed({
  onBegin: begin,
  onUpdate: update,
  onAway: (isNow) => {
    isAway = isNow;
    draw();
  },
});

const choices = [...document.querySelectorAll('[data-language]')];
for (const choice of choices) {
  const chosen = choice.getAttribute('data-language') === 'zh' ? 'zh' : 'en';
  choice.addEventListener('click', () => setLanguage(chosen));
}
onLanguage(draw);
setInterval(draw, TICK_MS);
follow();

/** @returns {Promise<About>} */
async function readAbout() {
  for (;;) {
    try {
      return await (await fetch('/api/about')).json();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

function follow() {
  begin();
  feed.follow(picked, itemsView.isRaw);
}

function begin() {
  intervals.clear();
  itemsView.begin(picked === null ? null : (streams.get(picked) ?? null));
}

/** @param {number} id */
function choose(id) {
  isChosen = true;
  pick(id);
}

/** @param {number} id */
function pick(id) {
  if (id !== picked) {
    picked = id;
    follow();
  }
  draw();
}

/** @param {import('./model.js').Update} news */
function update(news) {
  passed = news.passed;
  const changed = new Map(news.streams.map((stream) => [stream.id, stream]));
  /** @type {[number, Stream][]} */
  const kept = news.ids.flatMap((id) => {
    const stream = changed.get(id) ?? streams.get(id);
    return stream ? [/** @type {[number, Stream]} */ ([id, stream])] : [];
  });
  const known = streams;
  streams = new Map(kept);
  const shown = picked === null ? undefined : streams.get(picked);
  if (shown) itemsView.know(shown);
  itemsView.add(news);
  for (const { kind, gap } of news.items) {
    if (gap !== null && (kind === 'event' || kind === 'line')) intervals.add(gap);
  }
  const newest = kept.at(-1)?.[1];
  if (newest && !known.has(newest.id)) meet(newest, shown);
  else if (!shown && newest) pick(newest.id);
  draw();
}

/**
 * A stream is new: it is looked at if nothing else was chosen, or if it is what comes after the one that was.
 * @param {Stream} newest
 * @param {Stream | undefined} shown
 */
function meet(newest, shown) {
  const isNext = shown && shown.ending !== null && groupKey(shown) === groupKey(newest);
  if (!shown || !isChosen || isNext) pick(newest.id);
}

function drawAll() {
  const now = Date.now();
  for (const choice of choices) {
    const pressed = choice.getAttribute('data-language') === language();
    choice.setAttribute('aria-pressed', String(pressed));
  }
  byId('tap').textContent = about.tap;
  byId('tap').setAttribute('href', about.tap);
  byId('upstream').textContent = about.upstream;
  byId('passed').textContent = t('inspect.passed', { count: passed });
  byId('sample').textContent = `curl -N ${about.tap}/`;
  byId('about').textContent = t('inspect.about', {
    version: about.version,
    streams: about.bounds.streams,
    items: about.bounds.items,
    bytes: bytes(about.bounds.bytes),
  });
  const away = { kind: 'away', title: t('inspect.away.title'), lines: [t('inspect.away.text')] };
  drawNotices(byId('notices'), isAway ? [away] : []);
  byId('nothing').hidden = streams.size > 0;
  byId('panes').hidden = streams.size === 0;
  const how = document.querySelector('[data-i18n="inspect.how"]');
  if (how) how.textContent = t('inspect.how', { tap: about.tap });
  drawStreams(now);
}

/** @param {number} now */
function drawStreams(now) {
  const all = groups(streams.values());
  const stream = picked === null ? undefined : streams.get(picked);
  const group = stream && all.find(({ key }) => key === groupKey(stream));
  groupsView.draw(all, group?.key ?? null);
  const gone = byId('groups-gone');
  gone.hidden = streams.size < about.bounds.streams;
  gone.textContent = t('inspect.gone', { count: about.bounds.streams });
  byId('detail').hidden = !group;
  if (!stream || !group) return;
  byId('detail-title').textContent = group.key;
  const state = byId('detail-state');
  state.dataset.phase = phaseOf(stream);
  const text = stateText(stream, now);
  if (state.textContent !== text) state.textContent = text;
  byId('download').setAttribute('href', `/api/streams/${stream.id}/recording`);
  attemptsView.draw(group, stream, now);
  factsView.draw(stream);
  findingsView.look(stream, now);
}
