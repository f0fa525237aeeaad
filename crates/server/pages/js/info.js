/**
 * What the server says about itself.
 */

import { request } from './request.js';

/** @typedef {{ version: string, retry_ms: number, heartbeat_s: number, archive: string }} Info */

/** @returns {Promise<Info | null>} null if it cannot be read */
export async function readInfo() {
  try {
    const response = await request('/demo/info');
    return await response.json();
  } catch {
    return null;
  }
}
