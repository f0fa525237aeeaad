/**
 * Notices: a title, some lines, perhaps a button. Drawn again only when they have changed, so that
 * a screen reader says each of them once.
 */

/**
 * @typedef {object} Notice
 * @property {string} kind for styles and tests
 * @property {string} title
 * @property {string[]} lines
 * @property {string} [wire] a line about ids, in small type
 * @property {{ label: string, run: () => void }} [action]
 */

/** @type {WeakMap<Element, string>} */
const drawn = new WeakMap();

/**
 * @param {Element} place
 * @param {Notice[]} notices
 */
export function drawNotices(place, notices) {
  const fingerprint = JSON.stringify(notices);
  if (drawn.get(place) === fingerprint) return;
  drawn.set(place, fingerprint);
  place.replaceChildren(...notices.map(build));
}

/** @param {Notice} notice */
function build(notice) {
  const box = element('div', 'notice', '');
  box.dataset.kind = notice.kind;
  box.append(element('strong', 'notice-title', notice.title));
  for (const line of notice.lines) box.append(element('p', '', line));
  if (notice.wire) box.append(element('p', 'notice-wire', notice.wire));
  if (notice.action) {
    const button = element('button', '', notice.action.label);
    button.setAttribute('type', 'button');
    button.addEventListener('click', notice.action.run);
    box.append(button);
  }
  return box;
}

/**
 * An element with a text, set as text.
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Sets a text if it is another: what is drawn several times a second costs nothing while nothing changes.
 * @param {Element} place
 * @param {string} text
 */
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** The element of the page with this id. @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
