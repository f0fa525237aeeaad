/**
 * Drawing at the pace of the screen: however often it is asked for, once a frame, and not at all
 * while the page is hidden.
 */

/**
 * @param {() => void} draw
 * @param {number} [delayMs] what is asked for meanwhile is drawn with it
 * @returns {() => void} asks for a drawing
 */
export function oncePerFrame(draw, delayMs = 0) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const soon = () =>
      requestAnimationFrame(() => {
        asked = false;
        draw();
      });
    if (delayMs > 0) setTimeout(soon, delayMs);
    else soon();
  };
}
