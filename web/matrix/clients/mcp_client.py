"""The official MCP SDK in Python, over Streamable HTTP."""

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def call_tool(job):
    told = []

    async def heard(params):
        told.append(params.data)

    http = httpx2.AsyncClient(headers=job["headers"], timeout=30, follow_redirects=True)
    transport = streamable_http_client(f"{job['base']}/mcp", http_client=http)
    error = None
    result = None
    async with http, Client(transport, logging_callback=heard) as client:
        try:
            result = await client.call_tool("talk", {})
        except Exception as raised:
            error = raised
    for data in told:
        yield data
    if error:
        raise error
    yield result.model_dump(mode="json", exclude_unset=True)


CLIENTS = {"mcp-py call": call_tool}
