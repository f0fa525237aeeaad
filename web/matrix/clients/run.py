"""Runs the clients in Python. A job comes as a line of JSON on standard input, what a program saw of it goes as a line to
standard output; `run.mjs` is the same in JavaScript. The first line says which clients there are, and why others are not.
"""

import asyncio
import importlib
import inspect
import json
import sys
import threading

FILES = ["openai", "anthropic", "google", "cohere", "mistral", "ollama", "mcp"]
# Whether a program has seen the middle of an answer (`words.js`).
MIDDLE = "tok5"

clients = {}
missing = {}
lock = threading.Lock()


def say(line):
    with lock:
        print(json.dumps(line, default=str), flush=True)


def take(job):
    out = []
    if job.get("twins"):
        out = [None] * job["twins"]

        def one(place):
            out[place] = seen(job)

        threads = [threading.Thread(target=one, args=[place]) for place in range(job["twins"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        out = [seen(job) for _ in range(job.get("times", 1))]
    say({"id": job["id"], "seen": out})


def seen(job):
    asked = clients[job["client"]](job)
    if not inspect.isasyncgen(asked):
        # One way to read both.
        asked = as_async(asked)
    return asyncio.run(read(job, asked))


async def as_async(asked):
    try:
        for event in asked:
            yield event
    finally:
        asked.close()


async def read(job, asked):
    """Every event, and the error, if they end with one."""
    events = []
    try:
        async for event in asked:
            events.append(event)
            if job.get("leave") and MIDDLE in json.dumps(event, default=str):
                break
        return {"events": events}
    except Exception as error:
        # Cohere's writes all headers into its text.
        text = error.body if hasattr(error, "headers") and hasattr(error, "body") else error
        said = {"class": type(error).__name__, "message": str(text), "status": getattr(error, "status_code", None)}
        return {"events": events, "error": said}
    finally:
        await asked.aclose()


def main():
    for file in FILES:
        try:
            clients.update(importlib.import_module(f"{file}_client").CLIENTS)
        except ImportError as error:
            missing[file] = str(error)
    say({"clients": list(clients), "missing": missing})
    for line in sys.stdin:
        threading.Thread(target=take, args=[json.loads(line)], daemon=True).start()


main()
