/**
 * What the server says about itself.
 */

import { request } from './request.js';

/** @typedef {{ publish: boolean, read: boolean }} Tokens for what the server wants one */
/**
 * @typedef {{ version: string, retry_ms: number, heartbeat_s: number, archive: string, tokens: Tokens }} Info
 */

/** @returns {Promise<Info | null>} null if it cannot be read */
export async function readInfo() {
  try {
    const response = await request('/demo/info');
    return await response.json();
  } catch {
    return null;
  }
}
