"""A user's file that touches the endpoint and its like. It is checked by mypy and pyright, and never run."""

import headrace
from headrace import Client, Server
from headrace.providers import AzureOpenAI, Gemini


def serve() -> str:
    client = Client([AzureOpenAI("https://esg.openai.azure.com", "key", api_version="2024-10-21"), Gemini("key")])
    with Server(client, host="127.0.0.1", port=0) as server:
        server.use_client(Client.from_config("headrace.toml"))
        url: str = server.url
        server.close()
    print(headrace.httpx_transport(client), headrace.keys)
    return url


async def end(server: Server) -> None:
    await server.aclose()
