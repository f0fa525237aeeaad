/**
 * Every text of the page, in English and Chinese, and the switch between them.
 *
 * Texts are filled in as text, never as markup. `{name}` in a text is a parameter.
 * The choice is kept in localStorage and shows in `<html lang>`.
 */

/** @typedef {'en' | 'zh'} Language */
/** @typedef {Record<string, string | number>} Parameters */

const STORAGE_KEY = 'tidewire.language';

const en = {
  language: 'Language',
  copy: 'Copy',
  copied: 'Copied',

  'answer.title': 'A stream survives.',
  'answer.lead':
    'Ask, and the server types an answer: one event for each character. Reload this page half-way, open it in a second tab, cut the network. The text goes on at the next character; if a part is really gone, the page says so.',
  'answer.ask': 'Ask',
  'answer.askAgain': 'Ask again',
  'answer.reload': 'Reload this page',
  'answer.secondTab': 'Open in a second tab',
  'answer.showEvents': 'Show its events',
  'answer.empty': 'Nothing asked yet.',
  'answer.textLabel': 'The answer',
  'answer.hole': ' … missing here … ',
  'answer.rest': ' … the rest is missing',
  'answer.legend.reload': 'page reloaded here',
  'answer.legend.reconnect': 'reconnected here',
  'answer.legend.gap': 'part missing here',

  'fact.state': 'Connection',
  'fact.lastEventId': 'Last event id',
  'fact.characters': 'Characters',
  'fact.reconnects': 'Reconnects',
  'fact.none': '–',

  'phase.idle': 'not connected',
  'phase.connecting': 'connecting',
  'phase.elapsed': ' for {seconds} s',
  'phase.open': 'open',
  'phase.reconnecting': 'reconnecting',
  'phase.closed': 'closed',
  'phase.done': 'done, and closed',
  'phase.lost': 'closed, incomplete',
  'phase.refused': 'closed by the server',

  'gap.title': 'Part of this stream is gone',
  'gap.reset':
    'The server has begun a new log since you last read. That happens when it keeps its log in memory and is started again: whatever it had not sent yet is gone.',
  'gap.expired':
    'You were away for longer than the server keeps events. It has dropped those that follow the last one you saw.',
  'gap.unknown':
    'The server does not know the event id that you had read up to, so it cannot tell what you missed.',
  'gap.lagged':
    'Events came faster than this page could take them. The server dropped some before it could send them.',
  'gap.other': 'The server reports a gap for a reason that this page does not know: {reason}.',
  'gap.position': 'Last event read: {requested}. The server goes on after: {resumed}.',
  'gap.answerStays': 'The text below is what had arrived. It stays, but it will not be continued.',
  'gap.answerGoesOn': 'The text goes on after the hole, which is marked.',

  'quiet.title': 'Nothing is coming',
  'quiet.text':
    'The connection is open, but no event has come for a while. The answer may have gone with an earlier run of the server.',
  'refused.title': 'The server has closed this stream',
  'refused.text': 'It answered {status}: {detail}',
  'refused.blocked': 'The browser has given up, and the server did not say why. Connect again to try once more.',
  'ended.title': 'This stream has ended',
  'ended.text': 'There is nothing left to read, and nothing more will come (204).',
  'mismatch.title': 'The text is not whole',
  'mismatch.text': 'The server typed {expected} characters; {actual} of them arrived here.',
  'askFailed.title': 'The question did not get through',
  unreachable: 'The server cannot be reached. Is it running?',
  'problem.text': '{status} {title}: {detail}',

  'console.title': 'Console',
  'console.lead': 'Publish to any topic, and watch it as the browser’s own EventSource sees it.',
  'console.topic': 'Topic',

  'subscribe.title': 'Subscribe',
  'subscribe.start': 'Start after',
  'subscribe.startPlaceholder': 'live, from now on',
  'subscribe.startHint': 'An event id, or “earliest” for all that the server keeps.',
  'subscribe.names': 'Also listen for',
  'subscribe.namesPlaceholder': 'price, log',
  'subscribe.namesHint':
    'EventSource hands out named events only to those who listen for the name. Always on: message, delta, end, tidewire.gap.',
  'subscribe.connect': 'Connect',
  'subscribe.disconnect': 'Disconnect',
  'retry.announced': '{ms} ms announced',
  'retry.measured': '; last time it took {seconds} s',

  'publish.title': 'Publish',
  'publish.event': 'Event name',
  'publish.id': 'Id',
  'publish.idPlaceholder': 'the server’s',
  'publish.data': 'Data',
  'publish.end': 'End the stream with this event',
  'publish.send': 'Publish',

  'events.title': 'Events',
  'events.empty': 'None yet. Connect, then publish something.',
  'events.count': '{count} arrived',
  'events.clear': 'Clear',
  'events.dropped': '{count} older events were dropped from this list; it keeps the last {limit}.',
  'events.cut': ' … ({count} characters in all)',

  about: 'Tidewire {version} · log kept in {archive} · heartbeat every {heartbeat} s',
  'archive.memory': 'memory',
  'archive.segments': 'files',
};

/** @type {Record<keyof typeof en, string>} */
const zh = {
  language: '语言',
  copy: '复制',
  copied: '已复制',

  'answer.title': '断线，不断流。',
  'answer.lead':
    '点“提问”，服务器就开始打字：一个字一个事件。打到一半时刷新页面、在第二个标签页里打开、断开网络，文字都会从下一个字接着来；如果有内容真的没了，页面会如实告诉你。',
  'answer.ask': '提问',
  'answer.askAgain': '再问一次',
  'answer.reload': '刷新本页',
  'answer.secondTab': '在第二个标签页打开',
  'answer.showEvents': '查看它的事件',
  'answer.empty': '还没有提问。',
  'answer.textLabel': '回答',
  'answer.hole': ' …此处有缺失… ',
  'answer.rest': ' …其余内容已丢失',
  'answer.legend.reload': '在此刷新过页面',
  'answer.legend.reconnect': '在此重新连接过',
  'answer.legend.gap': '此处有缺失',

  'fact.state': '连接',
  'fact.lastEventId': '最后的事件 ID',
  'fact.characters': '字数',
  'fact.reconnects': '重连次数',
  'fact.none': '–',

  'phase.idle': '未连接',
  'phase.connecting': '正在连接',
  'phase.elapsed': '，已 {seconds} 秒',
  'phase.open': '已连接',
  'phase.reconnecting': '正在重连',
  'phase.closed': '已关闭',
  'phase.done': '已完成并关闭',
  'phase.lost': '已关闭，内容不完整',
  'phase.refused': '已被服务器关闭',

  'gap.title': '这条流缺了一部分',
  'gap.reset': '自你上次读取之后，服务器开始了一份新的日志。日志只存在内存里的服务器重启后就会这样：还没发出的内容都没有了。',
  'gap.expired': '你离开的时间超过了服务器保留事件的期限，你看到的最后一个事件之后有一些已被清除。',
  'gap.unknown': '服务器不认识你读到的那个事件 ID，因此无法判断你错过了什么。',
  'gap.lagged': '事件来得太快，本页跟不上，有一些在发出之前就被服务器清除了。',
  'gap.other': '服务器报告了缺口，原因本页不认识：{reason}。',
  'gap.position': '最后读到的事件：{requested}。服务器从此之后继续：{resumed}。',
  'gap.answerStays': '下面是已经收到的文字，会保留，但不会再继续。',
  'gap.answerGoesOn': '文字在缺口之后继续，缺口处有标记。',

  'quiet.title': '没有新内容',
  'quiet.text': '连接是通的，但已有一阵没有事件到来。这个回答可能随服务器的上一次运行一起消失了。',
  'refused.title': '服务器关闭了这条流',
  'refused.text': '它的回答是 {status}：{detail}',
  'refused.blocked': '浏览器已放弃重连，服务器没有说明原因。可以再次连接试试。',
  'ended.title': '这条流已经结束',
  'ended.text': '没有可读的内容了，以后也不会再有（204）。',
  'mismatch.title': '文字不完整',
  'mismatch.text': '服务器打了 {expected} 个字，这里收到 {actual} 个。',
  'askFailed.title': '提问没有送达',
  unreachable: '无法连接服务器。它在运行吗？',
  'problem.text': '{status} {title}：{detail}',

  'console.title': '控制台',
  'console.lead': '向任意主题发布事件，并以浏览器自带的 EventSource 的视角观察它。',
  'console.topic': '主题',

  'subscribe.title': '订阅',
  'subscribe.start': '从此之后开始',
  'subscribe.startPlaceholder': '从现在起的实时事件',
  'subscribe.startHint': '填事件 ID；填 earliest 则读取服务器保留的全部事件。',
  'subscribe.names': '还要监听',
  'subscribe.namesPlaceholder': 'price, log',
  'subscribe.namesHint':
    'EventSource 只把命名事件交给监听了该名称的人。始终监听：message、delta、end、tidewire.gap。',
  'subscribe.connect': '连接',
  'subscribe.disconnect': '断开',
  'retry.announced': '服务器声明 {ms} 毫秒',
  'retry.measured': '；上次用了 {seconds} 秒',

  'publish.title': '发布',
  'publish.event': '事件名',
  'publish.id': 'ID',
  'publish.idPlaceholder': '由服务器给出',
  'publish.data': '数据',
  'publish.end': '以此事件结束这条流',
  'publish.send': '发布',

  'events.title': '事件',
  'events.empty': '还没有事件。先连接，再发布一条试试。',
  'events.count': '已到达 {count} 条',
  'events.clear': '清空',
  'events.dropped': '较早的 {count} 条已从列表中移除；列表只保留最近 {limit} 条。',
  'events.cut': ' …（共 {count} 个字符）',

  about: 'Tidewire {version} · 日志存于{archive} · 每 {heartbeat} 秒一次心跳',
  'archive.memory': '内存',
  'archive.segments': '文件',
};

/** @type {Record<Language, Record<string, string>>} */
export const texts = { en, zh };

/** @type {Language} */
let current = 'en';
/** @type {Array<() => void>} */
const listeners = [];

/** The language in use. @returns {Language} */
export function language() {
  return current;
}

/**
 * The text of a key in the current language, with its parameters filled in. Numbers are grouped.
 * @param {string} key
 * @param {Parameters} [parameters]
 */
export function t(key, parameters = {}) {
  const text = texts[current][key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = parameters[name];
    return typeof value === 'number' ? value.toLocaleString(current) : String(value ?? '');
  });
}

/** Calls `listener` after each change of language. @param {() => void} listener */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Picks the language: the one chosen before, else the browser's. */
export function startLanguage() {
  /** @type {string | null} */
  let stored = null;
  try {
    stored = localStorage.getItem(STORAGE_KEY);
  } catch {
    // Storage can be switched off; the browser's own language will do.
  }
  const wanted = stored ?? navigator.language;
  current = wanted.startsWith('zh') ? 'zh' : 'en';
  apply();
}

/** @param {Language} next */
export function setLanguage(next) {
  current = next;
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
  apply();
}

/** Fills the static texts of the document, then lets the views draw theirs. */
function apply() {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-i18n]')) {
    element.textContent = t(/** @type {HTMLElement} */ (element).dataset.i18n ?? '');
  }
  for (const element of document.querySelectorAll('[data-i18n-label]')) {
    element.setAttribute('aria-label', t(element.getAttribute('data-i18n-label') ?? ''));
  }
  for (const element of document.querySelectorAll('[data-i18n-placeholder]')) {
    element.setAttribute('placeholder', t(element.getAttribute('data-i18n-placeholder') ?? ''));
  }
  for (const listener of listeners) listener();
}
