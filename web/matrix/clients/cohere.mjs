/** Cohere's SDK in JavaScript. */

import { CohereClientV2 } from 'cohere-ai';

const body = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

async function* chat({ base, headers, plain }) {
  const client = new CohereClientV2({ token: 'k', environment: base });
  if (plain) yield await client.chat(body, { headers });
  else yield* await client.chatStream(body, { headers });
}

export default { 'cohere-js chat': chat };
