/**
 * What the page tells a connection: that it is hidden or put aside, that it is back, that there is a network again.
 * Where there is no page (workers, Node), only what is there is heard.
 */

import { onAbort } from './signal.js';

export class Page {
  /** The connection is to rest. */
  isAway = false;
  #wake: (() => void) | undefined;
  readonly #gone = new AbortController();

  /**
   * @param openWhenHidden hidden pages stay connected
   * @param rest may be refused (`false`)
   * @param back called when there is reason to look whether the connection still lives
   */
  constructor(openWhenHidden: boolean, rest: () => boolean, back: () => void) {
    const { document } = globalThis;
    const away = () => {
      this.isAway ||= rest();
    };
    const here = () => {
      this.isAway = false;
      this.#wake?.();
      back();
    };
    const on = (target: EventTarget | undefined, type: string, listener: (event: Event) => void) =>
      target?.addEventListener?.(type, listener, { signal: this.#gone.signal });
    const globals = globalThis as unknown as EventTarget;
    on(document, 'visibilitychange', () => {
      if (!document.hidden) here();
      else if (!openWhenHidden) away();
    });
    on(globals, 'online', here);
    on(globals, 'pageshow', here);
    // Into the back/forward cache, where a connection would be cut without a word.
    on(globals, 'pagehide', (event) => {
      if ((event as PageTransitionEvent).persisted) away();
    });
  }

  /**
   * Waits so long, and for as long as the page is away. When there is a reason to hope, it waits no longer than the
   * floor, counted from the beginning.
   */
  async nap(ms: number, floor: number, stop: AbortSignal): Promise<void> {
    const since = performance.now();
    let until = ms;
    let leave: (() => void) | undefined;
    for (;;) {
      const left = Math.min(since + until - performance.now(), ms);
      if (stop.aborted || (left <= 0 && !this.isAway)) break;
      await new Promise<void>((done) => {
        const timer = left > 0 ? setTimeout(done, Math.min(left, 2 ** 31 - 1)) : undefined;
        this.#wake = () => {
          clearTimeout(timer);
          until = Math.min(until, floor);
          done();
        };
        leave = onAbort(stop, this.#wake);
      });
      leave?.();
    }
    this.#wake = undefined;
  }

  leave(): void {
    this.#gone.abort();
    this.isAway = false;
  }
}
