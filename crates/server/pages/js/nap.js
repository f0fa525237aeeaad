/**
 * A wait that can be cut short: by us, or because the network has come back.
 */

export class Nap {
  #wake = () => {};

  /** @param {number} milliseconds */
  async sleep(milliseconds) {
    await new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), milliseconds);
      const online = () => this.wake();
      addEventListener('online', online);
      this.#wake = () => {
        clearTimeout(timer);
        removeEventListener('online', online);
        resolve(undefined);
      };
    });
  }

  wake() {
    this.#wake();
  }
}
