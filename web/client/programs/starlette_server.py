"""Events by sse-starlette: numbered, after the Last-Event-ID that is sent along. Prints its port."""

import asyncio
import socket

import uvicorn
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

EVENTS = 6


async def numbers(request):
    start = int(request.headers.get("last-event-id", "0"))

    async def events():
        for number in range(start + 1, EVENTS + 1):
            yield {"id": str(number), "event": "number", "data": f"{number}\n号", "retry": 50}
            if number % 2 == 0 and number < EVENTS:
                return  # the response ends in mid-stream
            await asyncio.sleep(0)
        yield {"event": "end", "data": ""}

    return EventSourceResponse(events(), ping=1)


sock = socket.socket()
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/numbers", numbers, methods=["GET", "POST"])])
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[sock])
