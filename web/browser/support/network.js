/**
 * The network before the server, in our hands: passes TCP connections on, can break them, and sees
 * what the server answers, also where the browser hides it from pages and tools.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const STREAM = /^content-type: text\/event-stream/im;
const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) /;

export class Network {
  /** Of the answers so far, in order. @type {number[]} */
  statuses = [];
  #listener;
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();
  /** The server's side of those that carry a stream. @type {Set<import('node:net').Socket>} */
  #streams = new Set();

  /** @param {string} url of the server behind */
  static async before(url) {
    const network = new Network();
    const { hostname, port } = new URL(url);
    network.#listener = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) network.#hold(socket);
      near.pipe(far).pipe(near);
      far.on('data', (bytes) => network.#note(far, bytes.toString('latin1')));
      near.on('close', () => far.destroy());
      far.on('close', () => {
        network.#streams.delete(far);
        near.destroy();
      });
    });
    network.#listener.listen(0, '127.0.0.1');
    await once(network.#listener, 'listening');
    return network;
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  /** Breaks every connection; new ones pass. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing comes any more on the streams there are, and nobody is told. */
  stall() {
    for (const far of this.#streams) far.unpipe().pause();
  }

  close() {
    this.cut();
    this.#listener.close();
  }

  /** An answer begins a segment of its own: nobody here asks twice before the first answer. */
  #note(far, text) {
    const status = STATUS_LINE.exec(text)?.[1];
    if (status) this.statuses.push(Number(status));
    if (STREAM.test(text)) this.#streams.add(far);
  }

  #hold(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // a broken connection is what we are here for
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
