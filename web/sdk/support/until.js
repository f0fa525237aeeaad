import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 20_000;

/** Waits until it is so. @param {() => unknown} isSo */
export async function until(isSo) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`it never came to be: ${isSo}`);
    await sleep(10);
  }
}
