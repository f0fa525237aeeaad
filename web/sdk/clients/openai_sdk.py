"""The official Python SDK, asked for one case after another: `openai_sdk.py BASE_URL KEY CASE...`.

Prints a line of JSON a case: what a program sees of it. `openai-sdk.mjs` is the same in JavaScript.
"""

import asyncio
import json
import sys

import openai

BASE, KEY, *CASES = sys.argv[1:]
# Whatever comes between two heartbeats comes within this; only who asks for `late` without a relay has to wait longer.
SHORT_TIMEOUT_S = 5

PROMPT = [{"role": "user", "content": "Hello"}]
FUNCTION = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CHAT_TOOLS = {"tools": [{"type": "function", "function": FUNCTION}]}
RESPONSES_TOOLS = {"tools": [{"type": "function", **FUNCTION}]}

client = openai.OpenAI(base_url=BASE, api_key=KEY)


def chat(model, client=client, **options):
    return client.chat.completions.create(model=model, messages=PROMPT, **options)


def chat_stream(model, client=client, **options):
    options.setdefault("stream_options", {"include_usage": True})
    return chat(model, client, stream=True, **options)


def response(model, **options):
    return client.responses.create(model=model, input="Hello", **options)


def seen(ask):
    """Every event as JSON; and the error, if they end with one."""
    out = []
    try:
        for event in ask():
            out.append(event.model_dump(mode="json", exclude_unset=True))
    except openai.APIError as error:
        out.append(raised(error))
    return out


def seen_async(ask):
    """The same by the SDK's other client, which reads streams by itself."""

    async def run():
        out = []
        async with openai.AsyncOpenAI(base_url=BASE, api_key=KEY) as client:
            try:
                async for event in await ask(client):
                    out.append(event.model_dump(mode="json", exclude_unset=True))
            except openai.APIError as error:
                out.append(raised(error))
        return out

    return asyncio.run(run())


def whole(ask):
    try:
        answer = ask()
        return [answer.model_dump(mode="json", exclude_unset=True), answer._request_id]
    except openai.APIError as error:
        return [raised(error)]


def raised(error):
    said = {"raised": type(error).__name__, "message": error.message, "code": error.code}
    if isinstance(error, openai.APIStatusError):
        headers = error.response.headers
        said |= {"status": error.status_code, "request": error.request_id, "retry": headers.get("retry-after")}
    return said | {"body": error.body}


def accumulated():
    with client.chat.completions.stream(model="text", messages=PROMPT) as stream:
        events = [event.type for event in stream]
        return [events, stream.get_final_completion().model_dump(mode="json", exclude_unset=True)]


def accumulated_response():
    with client.responses.stream(model="text", input="Hello") as stream:
        events = [event.type for event in stream]
        return [events, stream.get_final_response().model_dump(mode="json", exclude_unset=True)]


def with_key():
    """The same request twice, as a program does that has not seen the answer to the first."""
    headers = {"Idempotency-Key": "python-1"}
    first = seen(lambda: chat_stream("text", extra_headers=headers, user="with-key"))
    return [first, seen(lambda: chat_stream("text", extra_headers=headers, user="with-key"))]


def gone():
    """A program that has enough after three events."""
    prompt = [{"role": "user", "content": json.dumps({"count": 1000, "every": 20})}]
    with client.chat.completions.create(model="paced", messages=prompt, stream=True) as stream:
        return [next(stream).model_dump(mode="json", exclude_unset=True) for _ in range(3)]


def patient(content, **headers):
    """Asks again by itself for as long as a server takes to come back."""
    options = client.with_options(max_retries=6)
    messages = [{"role": "user", "content": json.dumps(content)}]
    return options.chat.completions.create(model="paced", messages=messages, stream=True, extra_headers=headers)


def cut():
    """An answer whose server goes away in its midst, whatever that looks like; and the same again."""
    first, again = [], []
    try:
        for event in patient({"count": 200, "every": 20}, **{"Idempotency-Key": "cut"}):
            first.append(event.model_dump(mode="json", exclude_unset=True))
    except Exception as error:
        first.append({"raised": type(error).__name__, "message": str(error)})
    for event in patient({"count": 200, "every": 20}, **{"Idempotency-Key": "cut"}):
        again.append(event.model_dump(mode="json", exclude_unset=True))
    return [first, again]


def impatient():
    return chat_stream("late", client.with_options(max_retries=0), timeout=SHORT_TIMEOUT_S)


ALL = {
    "chat": lambda: whole(lambda: chat("text")),
    "chat-stream": lambda: seen(lambda: chat_stream("text")),
    "chat-tools": lambda: whole(lambda: chat("tools", **CHAT_TOOLS)),
    "chat-tools-stream": lambda: seen(lambda: chat_stream("tools", **CHAT_TOOLS)),
    "chat-accumulated": accumulated,
    "chat-odd": lambda: seen(lambda: chat_stream("odd")),
    "responses": lambda: whole(lambda: response("text")),
    "responses-stream": lambda: seen(lambda: response("text", stream=True)),
    "responses-tools": lambda: whole(lambda: response("tools", **RESPONSES_TOOLS)),
    "responses-tools-stream": lambda: seen(lambda: response("tools", stream=True, **RESPONSES_TOOLS)),
    "responses-accumulated": accumulated_response,
    "refused": lambda: whole(lambda: chat("refused")),
    "refused-stream": lambda: whole(lambda: chat_stream("refused")),
    "refused-stream-read": lambda: seen(lambda: chat_stream("refused")),
    "busy": lambda: whole(lambda: chat("busy", client.with_options(max_retries=0))),
    "busy-once": lambda: whole(lambda: chat("busy-once", client.with_options(max_retries=2))),
    "down": lambda: whole(lambda: chat("down", client.with_options(max_retries=1))),
    "breaks": lambda: seen(lambda: chat_stream("breaks")),
    "responses-breaks": lambda: seen(lambda: response("breaks", stream=True)),
    "chat-async": lambda: seen_async(lambda client: chat_stream("odd", client)),
    "responses-async": lambda: seen_async(
        lambda client: client.responses.create(model="text", input="Hello", stream=True)
    ),
    "breaks-async": lambda: seen_async(lambda client: chat_stream("breaks", client)),
    "dies": lambda: seen(lambda: chat_stream("dies")),
    "with-key": with_key,
    "gone": gone,
    "cut": cut,
    "cut-early": lambda: seen(lambda: patient({"count": 5, "every": 0, "first": 2000})),
    "late": lambda: seen(lambda: chat_stream("late")),
    "late-impatient": lambda: seen(impatient),
}

for case in CASES:
    print(json.dumps({"case": case, "seen": ALL[case]()}), flush=True)
