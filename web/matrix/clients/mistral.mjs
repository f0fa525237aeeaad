/** Mistral's SDK in JavaScript. */

import { Mistral } from '@mistralai/mistralai';

const body = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

async function* chat({ base, headers, plain }) {
  const client = new Mistral({ apiKey: 'k', serverURL: base });
  const options = { fetchOptions: { headers } };
  if (plain) yield await client.chat.complete(body, options);
  else yield* await client.chat.stream(body, options);
}

export default { 'mistral-js chat': chat };
