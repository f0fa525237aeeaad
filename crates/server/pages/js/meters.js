/**
 * What a stream brings and what becomes of it, as it happens: events per second, the time between events, and the
 * journal of its connections.
 */

import { IntervalPlot } from './interval-plot.js';
import { JournalView } from './journal-view.js';
import { RatePlot } from './rate-plot.js';

export class Meters {
  /** @type {RatePlot | null} */
  #rate;
  #intervals;
  #journal;
  /** When the last event came. @type {number | null} */
  #last = null;

  /** @param {{ rate?: HTMLElement, intervals: HTMLElement, journal: HTMLElement }} places */
  constructor({ rate, intervals, journal }) {
    this.#rate = rate ? new RatePlot(rate) : null;
    this.#intervals = new IntervalPlot(intervals);
    this.#journal = new JournalView(journal);
  }

  /** An event has come. */
  add() {
    const now = performance.now();
    this.#rate?.add();
    if (this.#last !== null) this.#intervals.add(now - this.#last);
    this.#last = now;
  }

  /** Another stream begins. */
  clear() {
    this.#last = null;
    this.#intervals.clear();
  }

  /** @param {import('./watched.js').Watched | null} stream */
  draw(stream) {
    this.#journal.draw(stream?.journal ?? null);
  }
}
