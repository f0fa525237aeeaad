/** As a Worker: the address of the site is in the query, and the answer is what it saw. */

import { everywhere } from './everywhere.mjs';

export default {
  async fetch(request) {
    try {
      return Response.json(await everywhere(new URL(request.url).searchParams.get('site')));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
