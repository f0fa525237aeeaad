"""Google's SDK in Python."""

from google import genai


def generate(job):
    options = genai.types.HttpOptions(base_url=job["base"], headers=job["headers"])
    client = genai.Client(api_key="k", http_options=options)
    body = {"model": "gemini-9", "contents": "Hello"}
    if job.get("plain"):
        chunks = [client.models.generate_content(**body)]
    else:
        chunks = client.models.generate_content_stream(**body)
    try:
        for chunk in chunks:
            yield chunk.model_dump(mode="json", exclude_unset=True, exclude={"sdk_http_response"})
    finally:
        if not job.get("plain"):
            chunks.close()
        client.close()


CLIENTS = {"google-py generate": generate}
