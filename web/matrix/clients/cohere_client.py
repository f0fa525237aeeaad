"""Cohere's SDK in Python."""

import cohere

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def chat(job):
    client = cohere.ClientV2(api_key="k", base_url=job["base"])
    options = {"additional_headers": job["headers"]}
    if job.get("plain"):
        yield client.chat(**BODY, request_options=options).model_dump(mode="json", exclude_unset=True)
        return
    stream = client.chat_stream(**BODY, request_options=options)
    try:
        for event in stream:
            yield event.model_dump(mode="json", exclude_unset=True)
    finally:
        stream.close()


CLIENTS = {"cohere-py chat": chat}
