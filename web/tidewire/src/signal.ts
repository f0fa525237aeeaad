/**
 * Listeners of a signal. A caller may stop any number of streams by one signal, and Node warns of more than ten listeners:
 * so there is one, for all of them.
 */

interface Shared {
  all: Set<() => void>;
  listener: () => void;
}

const signals = new WeakMap<AbortSignal, Shared>();

/** Calls it at the abort, unless that has been. What is returned takes it away. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let shared = signals.get(signal);
  if (!shared) {
    const all = new Set<() => void>();
    shared = { all, listener: () => all.forEach((call) => call()) };
    signals.set(signal, shared);
    signal.addEventListener('abort', shared.listener);
  }
  const { all, listener } = shared;
  all.add(call);
  return () => {
    all.delete(call);
    if (all.size > 0 || signals.get(signal) !== shared) return;
    signal.removeEventListener('abort', listener);
    signals.delete(signal);
  };
}
