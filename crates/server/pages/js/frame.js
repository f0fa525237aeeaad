/**
 * Drawing at the pace of the screen: however often it is asked for, once a frame, and not at all
 * while the page is hidden.
 */

/**
 * @param {() => void} draw
 * @returns {() => void} asks for a drawing
 */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
