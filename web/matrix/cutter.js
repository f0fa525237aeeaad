/**
 * A network that is cut once: all connections that there are then, and none after.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { isMiddle } from './words.js';

/** What was written in one go has come by then. */
const QUIET_MS = 200;

/**
 * @param {string} origin where it leads @param {'head' | 'middle'} place
 * @param {Promise<void>} called the upstream has the request
 */
export async function cutter(origin, place, called) {
  const sockets = new Set();
  let isCut = false;
  const cut = () => {
    if (isCut) return;
    isCut = true;
    for (const socket of sockets) socket.end();
  };
  const server = createServer((near) => {
    const far = connect(new URL(origin).port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
    if (place === 'middle') far.on('data', (bytes) => isMiddle(bytes.toString()) && setTimeout(cut, QUIET_MS));
  });
  if (place === 'head') void called.then(cut);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
