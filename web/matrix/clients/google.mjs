/** Google's SDK in JavaScript. */

import { GoogleGenAI } from '@google/genai';

const body = { model: 'gemini-9', contents: 'Hello' };

async function* generate({ base, headers, plain }) {
  const { models } = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: base, headers } });
  const chunks = plain ? [await models.generateContent(body)] : await models.generateContentStream(body);
  for await (const { sdkHttpResponse, ...chunk } of chunks) yield chunk;
}

export default { 'google-js generate': generate };
