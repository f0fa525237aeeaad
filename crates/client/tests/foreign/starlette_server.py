"""Thirty events with ids, sent by sse-starlette. Who comes back goes on; who has all of them gets 204."""

import asyncio
import json
import socket

import uvicorn
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

EVENTS = 30


async def events(request):
    last = int(request.headers.get("last-event-id", 0))
    if last >= EVENTS:
        return Response(status_code=204)

    async def ticks():
        for number in range(last + 1, EVENTS + 1):
            data = json.dumps({"number": number, "text": "é\r\nand more"}, ensure_ascii=False)
            yield {"event": "tick", "id": str(number), "retry": 1, "data": data}
            await asyncio.sleep(0.005)

    return EventSourceResponse(ticks(), ping=1)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/", events)])
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
