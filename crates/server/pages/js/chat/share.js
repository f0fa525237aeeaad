/**
 * A link as a QR code, drawn here: nobody is asked for it. The library comes when it is wanted.
 */

const SVG = 'http://www.w3.org/2000/svg';
/** The light border that readers need, in modules. */
const QUIET = 4;

/**
 * @param {HTMLElement} place
 * @param {string} link
 */
export async function showShare(place, link) {
  const { qrcode } = await import('../vendor/qrcode-generator.js');
  const code = qrcode(0, 'M');
  code.addData(link, 'Byte');
  code.make();
  const count = code.getModuleCount();
  let path = '';
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (code.isDark(row, column)) path += `M${column + QUIET} ${row + QUIET}h1v1h-1z`;
    }
  }
  const size = count + 2 * QUIET;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  const drawn = document.createElementNS(SVG, 'path');
  drawn.setAttribute('d', path);
  svg.append(drawn);
  place.replaceChildren(svg);
}
