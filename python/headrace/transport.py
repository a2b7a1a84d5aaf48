"""A transport for httpx and httpx2: what an SDK sends is answered by a client of this process, without a server.

Neither library is needed to import this; whichever sends a request is the one whose classes are used to answer it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from headrace._core.gateway import Exchange, InProcess
from headrace.errors import Timeout

if TYPE_CHECKING:
    from headrace.client import Client

__all__ = ["Transport", "httpx_transport"]


def httpx_transport(client: Client) -> Transport:
    """Make a transport that answers an SDK's requests by a client: give it to `httpx.Client` or `httpx.AsyncClient`.

    Args:
        client: the client that is asked.

    Returns:
        The transport, for clients of both kinds, and of httpx as well as httpx2.

    >>> import headrace
    >>> import httpx2, openai
    >>> transport = headrace.httpx_transport(headrace.Client(headrace.providers.Simulated(time_to_first_token=0)))
    >>> ai = openai.OpenAI(http_client=httpx2.Client(transport=transport), api_key="unused")
    >>> question = [{"role": "user", "content": "Which scope is travel?"}]
    >>> ai.chat.completions.create(model="simulated/echo", messages=question).choices[0].message.content
    'Which scope is travel?'
    """
    return Transport(client)


class Transport:
    """What `httpx_transport` makes; what asks through it is answered by the routes of the endpoint, in the process.

    Args:
        client: the client that is asked.
    """

    def __init__(self, client: Client) -> None:
        self._routes = InProcess(client)

    def handle_request(self, request: Any) -> Any:
        """Answer a request of `httpx.Client`."""
        library, patience = _library(request), _patience(request)
        body = request.read()
        try:
            exchange = self._routes.exchange(request.method, _target(request), request.headers.raw, body, patience)
        except Timeout as error:
            raise library.ReadTimeout(str(error), request=request) from error
        return _response(library, request, exchange, patience)

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of `httpx.AsyncClient`."""
        library, patience = _library(request), _patience(request)
        body = await request.aread()
        try:
            exchange = await self._routes.aexchange(
                request.method, _target(request), request.headers.raw, body, patience
            )
        except Timeout as error:
            raise library.ReadTimeout(str(error), request=request) from error
        return _response(library, request, exchange, patience)

    def close(self) -> None:
        """Nothing is to be closed: the client stays open."""

    async def aclose(self) -> None:
        """As `close`, to be awaited."""

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()


def _library(request: Any) -> Any:
    """The library that sends the request."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def _target(request: Any) -> str:
    """The path and the query; the host is nobody's here."""
    return str(request.url.raw_path, "ascii")


def _patience(request: Any) -> float | None:
    """How long the SDK waits for anything to come, in seconds."""
    limits = request.extensions.get("timeout") or {}
    return limits.get("read")


def _response(library: Any, request: Any, exchange: Exchange, patience: float | None) -> Any:
    body = _body_class(library)(exchange, patience, request)
    return library.Response(exchange.status, headers=exchange.headers, stream=body)


@functools.cache
def _body_class(library: Any) -> Any:
    """A body that comes piece by piece, as a library takes it."""

    class Body(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, exchange: Exchange, patience: float | None, request: Any) -> None:
            self._exchange, self._patience, self._request = exchange, patience, request

        def __iter__(self) -> Iterator[bytes]:
            try:
                while (piece := self._exchange.next(self._patience)) is not None:
                    yield piece
            except Timeout as error:
                raise library.ReadTimeout(str(error), request=self._request) from error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                while (piece := await self._exchange.anext(self._patience)) is not None:
                    yield piece
            except Timeout as error:
                raise library.ReadTimeout(str(error), request=self._request) from error

        def close(self) -> None:
            self._exchange.close()

        async def aclose(self) -> None:
            await self._exchange.aclose()

    return Body
