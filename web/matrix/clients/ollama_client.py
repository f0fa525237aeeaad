"""Ollama's SDK in Python."""

import ollama


def both(job, ask):
    client = ollama.Client(host=job["base"], headers={"Authorization": "Bearer k", **job["headers"]})
    plain = bool(job.get("plain"))
    said = ask(client, plain)
    if plain:
        yield said.model_dump(mode="json", exclude_unset=True)
        return
    try:
        for event in said:
            yield event.model_dump(mode="json", exclude_unset=True)
    finally:
        said.close()


def chat(job):
    messages = [{"role": "user", "content": "Hello"}]
    return both(job, lambda client, plain: client.chat(model="m", messages=messages, stream=not plain))


def generate(job):
    return both(job, lambda client, plain: client.generate(model="m", prompt="Hello", stream=not plain))


CLIENTS = {"ollama-py chat": chat, "ollama-py generate": generate}
