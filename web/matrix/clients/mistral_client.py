"""Mistral's SDK in Python."""

from mistralai.client import Mistral

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def chat(job):
    client = Mistral(api_key="k", server_url=job["base"])
    if job.get("plain"):
        yield client.chat.complete(**BODY, http_headers=job["headers"]).model_dump(mode="json", exclude_unset=True)
        return
    with client.chat.stream(**BODY, http_headers=job["headers"]) as stream:
        for event in stream:
            yield event.model_dump(mode="json", exclude_unset=True)


CLIENTS = {"mistral-py chat": chat}
