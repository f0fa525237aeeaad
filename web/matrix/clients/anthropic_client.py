"""Anthropic's SDK in Python."""

import anthropic

BODY = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def dump(event):
    return event.model_dump(mode="json", exclude_unset=True)


def client(job):
    return anthropic.Anthropic(base_url=job["base"], api_key="k", default_headers=job["headers"])


def messages(job):
    if job.get("plain"):
        yield dump(client(job).messages.create(**BODY))
        return
    with client(job).messages.create(**BODY, stream=True) as stream:
        for event in stream:
            yield dump(event)


def messages_stream(job):
    """The helper that adds up the events."""
    with client(job).messages.stream(**BODY) as stream:
        for event in stream:
            yield dump(event)
        yield dump(stream.get_final_message())


CLIENTS = {"anthropic-py messages": messages, "anthropic-py messages.stream": messages_stream}
