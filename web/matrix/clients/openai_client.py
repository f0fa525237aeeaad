"""OpenAI's SDK in Python."""

import openai

MESSAGES = [{"role": "user", "content": "Hello"}]
# More than the relay holds of a body (`max_body`).
FILE_BYTES = 40 << 20


def dump(event):
    return event.model_dump(mode="json", exclude_unset=True)


def client(job, kind=openai.OpenAI, **options):
    options = options or {"base_url": f"{job['base']}/v1"}
    return kind(api_key="k", default_headers=job["headers"], **options)


def chat(job, made=None):
    made = made or client(job)
    if job.get("plain"):
        yield dump(made.chat.completions.create(model="m", messages=MESSAGES))
        return
    usage = {"include_usage": True}
    with made.chat.completions.create(model="m", messages=MESSAGES, stream=True, stream_options=usage) as stream:
        for event in stream:
            yield dump(event)


def azure(job):
    options = {"azure_endpoint": job["base"], "api_version": "2026-10-01", "azure_deployment": "m"}
    yield from chat(job, client(job, openai.AzureOpenAI, **options))


def chat_stream(job):
    """The helper that adds up the events."""
    with client(job).chat.completions.stream(model="m", messages=MESSAGES) as stream:
        for event in stream:
            yield dump(event)
        yield dump(stream.get_final_completion())


def responses(job):
    if job.get("plain"):
        yield dump(client(job).responses.create(model="m", input="Hello"))
        return
    with client(job).responses.create(model="m", input="Hello", stream=True) as stream:
        for event in stream:
            yield dump(event)


def responses_stream(job):
    with client(job).responses.stream(model="m", input="Hello") as stream:
        for event in stream:
            yield dump(event)
        yield dump(stream.get_final_response())


async def chat_async(job):
    """The SDK's other client, which reads streams by itself."""
    async with client(job, openai.AsyncOpenAI) as made:
        if job.get("plain"):
            yield dump(await made.chat.completions.create(model="m", messages=MESSAGES))
            return
        async with await made.chat.completions.create(model="m", messages=MESSAGES, stream=True) as stream:
            async for event in stream:
                yield dump(event)


def models(job):
    yield dump(client(job).models.retrieve("meta-llama/Llama-3"))


def upload(job):
    yield dump(client(job).files.create(file=("large.jsonl", b"x" * FILE_BYTES), purpose="batch"))


CLIENTS = {
    "openai-py chat": chat,
    "openai-py chat, async": chat_async,
    "openai-py chat.stream": chat_stream,
    "openai-py azure": azure,
    "openai-py models": models,
    "openai-py upload": upload,
    "openai-py responses": responses,
    "openai-py responses.stream": responses_stream,
}
