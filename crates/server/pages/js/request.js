/**
 * One HTTP request whose failure is a readable text: the detail of a problem document
 * (RFC 9457), or that the server cannot be reached.
 */

import { t } from './i18n.js';
import { authorization } from './token.js';

/** A request that the server refused, or that never reached it (`status` 0). */
export class RequestError extends Error {
  /**
   * @param {number} status
   * @param {string} title
   * @param {string} detail
   */
  constructor(status, title, detail) {
    super(detail);
    this.status = status;
    this.title = title;
    this.detail = detail;
  }

  /** The failure in the language of the page; the server's own words stay as they are. */
  describe() {
    if (this.status === 0) return t('unreachable');
    return t('problem.text', { status: String(this.status), title: this.title, detail: this.detail });
  }
}

/**
 * Shows our token, if there is one.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 * @returns {Promise<Response>} a response with a 2xx status
 */
export async function request(path, init) {
  let response;
  try {
    response = await fetch(path, { ...init, headers: { ...authorization(), ...init?.headers } });
  } catch {
    throw new RequestError(0, '', '');
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/** Reads the problem out of a response that is not 2xx. @param {Response} response */
export async function refusal(response) {
  return problemOf(response, await response.text().catch(() => ''));
}

/**
 * @param {{ status: number, statusText: string }} response that is not 2xx
 * @param {string} text its body
 */
export function problemOf({ status, statusText }, text) {
  try {
    const { title, detail } = JSON.parse(text);
    return new RequestError(status, title ?? statusText, detail ?? text);
  } catch {
    return new RequestError(status, statusText, text);
  }
}
