/**
 * What else OpenAI's API has: a model whose name has a slash, and files. They are no streams and no matter of a dialect.
 */

import { createHash } from 'node:crypto';
import { TEXT } from '../words.js';
import { whole } from './sse.js';

function answer({ method, path, body, headers }) {
  const refusal = (status) => ({ status, body: { error: { message: `Refused with ${status}.` } } });
  if (method === 'GET') {
    // As the server reads it: the slash of a name is no slash of the path.
    const id = decodeURIComponent(path.split('/models/')[1]);
    return { ...whole({ id, object: 'model', created: 0, owned_by: TEXT }), refusal };
  }
  const [, boundary] = /boundary=(\S+)/.exec(headers['content-type']);
  const digest = createHash('sha256').update(body.replaceAll(boundary, '')).digest('hex');
  return { ...whole({ id: digest, object: 'file', bytes: body.replaceAll(boundary, '').length, filename: TEXT }), refusal };
}

export const openaiRest = { variants: ['rest'], answer };
