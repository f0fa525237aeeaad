/**
 * What the page tells a connection: that it is hidden or put aside, that it is back, that there is a network again.
 * Where there is no page (workers, Node), only what is there is heard.
 */

/**
 * @param openWhenHidden hidden pages stay connected
 * @param away the connection is to rest
 * @param back there is reason to look whether the connection still lives
 * @returns listens no longer
 */
export function watchPage(openWhenHidden: boolean, away: () => void, back: () => void): () => void {
  const { document } = globalThis;
  const gone = new AbortController();
  const on = (target: EventTarget | undefined, type: string, listener: (event: Event) => void) =>
    target?.addEventListener?.(type, listener, { signal: gone.signal });
  const globals = globalThis as unknown as EventTarget;
  on(document, 'visibilitychange', () => {
    if (!document.hidden) back();
    else if (!openWhenHidden) away();
  });
  on(globals, 'online', back);
  on(globals, 'pageshow', back);
  // Into the back/forward cache, where a connection would be cut without a word.
  on(globals, 'pagehide', (event) => {
    if ((event as PageTransitionEvent).persisted) away();
  });
  return () => gone.abort();
}
