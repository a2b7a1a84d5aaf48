"""The ways to reach an endpoint: a server on a socket, or a transport in the process, with the official clients of OpenAI
and Anthropic."""

import contextlib

import headrace
import httpx
import httpx2

WAYS = ["server", "transport", "httpx"]


def of_library(way, asynchronous=False):
    """The class of a client that the way needs."""
    library = httpx if way == "httpx" else httpx2
    return library.AsyncClient if asynchronous else library.Client


@contextlib.contextmanager
def served(client, way, sdk, path="/v1", **settings):
    """An SDK's client before a client of headrace's."""
    settings = {"api_key": "local", "max_retries": 0} | settings
    asynchronous = sdk.__name__.startswith("Async")
    if way == "server":
        with (
            headrace.Server(client) as server,
            sdk(base_url=server.url + path, **settings)
            if not asynchronous
            else contextlib.nullcontext(sdk(base_url=server.url + path, **settings)) as made,
        ):
            yield made
        return
    transport = headrace.httpx_transport(client)
    http = of_library(way, asynchronous)(transport=transport)
    yield sdk(http_client=http, **settings)


def simulated(**settings):
    return headrace.Client(
        [headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0, **settings)], max_attempts=1
    )
