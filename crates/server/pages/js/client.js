/**
 * Our client, the npm package `tidewire` in one file, with the types of its sources.
 */

import * as bundle from './vendor/tidewire.js';

/** @typedef {import('../../../../web/tidewire/src/index.js').EventStream} EventStream */

/** @type {typeof import('../../../../web/tidewire/src/index.js')} */
const tidewire = /** @type {any} */ (bundle);

export const { GAP, StreamError, events, gapOf } = tidewire;
