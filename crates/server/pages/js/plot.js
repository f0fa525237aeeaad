/**
 * A picture of bars, with the same in words below it for those who do not see it.
 */

import { HEIGHT, outline } from './bars.js';
import { element, setText } from './notice.js';

const SVG = 'http://www.w3.org/2000/svg';

export class Plot {
  #places;
  #path = document.createElementNS(SVG, 'path');
  #text = element('p', 'hint', '');
  #drawn = '';

  /**
   * @param {HTMLElement} place gets the picture and the words; `ID-title` names them, if the place has an id
   * @param {number} places how many bars there is room for
   */
  constructor(place, places) {
    this.#places = places;
    const picture = document.createElementNS(SVG, 'svg');
    picture.setAttribute('class', 'plot');
    picture.setAttribute('viewBox', `0 0 ${places} ${HEIGHT}`);
    picture.setAttribute('preserveAspectRatio', 'none');
    const { id } = place;
    if (id) {
      picture.id = `${id}-plot`;
      this.#path.id = `${id}-path`;
      this.#text.id = `${id}-text`;
      picture.setAttribute('role', 'img');
      picture.setAttribute('aria-labelledby', `${id}-title ${id}-text`);
    } else {
      picture.setAttribute('aria-hidden', 'true');
    }
    picture.append(this.#path);
    place.replaceChildren(picture, this.#text);
  }

  /**
   * @param {number[]} shares of the full height, the newest last, at the right end
   * @param {string} words
   */
  draw(shares, words) {
    setText(this.#text, words);
    const path = outline(shares, this.#places - shares.length);
    if (path === this.#drawn) return;
    this.#drawn = path;
    this.#path.setAttribute('d', path);
  }
}
