// Thirty events with ids, sent by better-sse. Who comes back goes on; who has all of them gets 204.

import { createServer } from 'node:http';
import { createSession } from 'better-sse';

const EVENTS = 30;

const server = createServer(async (request, response) => {
    const last = Number(request.headers['last-event-id'] ?? 0);
    if (last >= EVENTS) {
        response.writeHead(204).end();
        return;
    }
    const session = await createSession(request, response, { retry: 1, keepAlive: 20 });
    for (let number = last + 1; number <= EVENTS && session.isConnected; number++) {
        session.push({ number, text: 'é\r\nand more' }, 'tick', String(number));
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    response.end();
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
