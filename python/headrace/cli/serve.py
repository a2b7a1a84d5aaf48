"""`headrace serve`: the endpoint, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import headrace
from headrace.config import Configured, load
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]

_log = logging.getLogger("headrace")

#: What `headrace.Server` takes of the section [server].
_BOUNDS = ("max_body_bytes", "max_connections", "header_timeout", "body_timeout", "answer_timeout")
#: Where it listens without a word on it.
_PORT = 8080


def register(subparsers: Subparsers) -> None:
    """Add `serve`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    serve = subparsers.add_parser("serve", help="serve any client of OpenAI's or Anthropic's protocol over HTTP")
    serve.add_argument(
        "--config", metavar="FILE", help="headrace.toml; without, providers are taken from the environment"
    )
    serve.add_argument("--host", help="where to listen (127.0.0.1); a place that others can reach needs --keys")
    serve.add_argument("--port", type=int, help=f"where to listen ({_PORT}); 0 takes a free port")
    serve.add_argument("--keys", metavar="FILE", help="the file of the keys that may ask, from `headrace keys create`")
    serve.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run `headrace serve`."""
    made = load(given.config) if given.config else None
    client = made.client if made else headrace.Client()
    said: dict[str, Any] = dict(made.server) if made else {}
    host = given.host or said.get("host", "127.0.0.1")
    port = given.port if given.port is not None else said.get("port", _PORT)
    keys = _url(given.keys) if given.keys else said.get("keys")
    bounds = {name: said[name] for name in _BOUNDS if name in said}
    with _signals() as signals:
        server = headrace.Server(client, host, port, keys, **bounds)
        print(f"headrace {headrace.__version__} at {server.url}: {client!r}", file=sys.stderr, flush=True)
        for number in signals:
            if number != getattr(signal, "SIGHUP", None):
                break
            made = _reloaded(server, given.config, made)
        is_whole = server.close(said.get("stop_timeout", 30.0))
    client.close()
    if not is_whole:
        print("headrace: what ran longer than stop_timeout was broken off", file=sys.stderr)
    return 0


def _reloaded(server: headrace.Server, path: str | None, before: Configured | None) -> Configured | None:
    """Serve by the file as it is now; as before, where it cannot be read."""
    if path is None or before is None:
        _log.warning("there is no configuration file to be read again: give --config")
        return before
    try:
        made = load(path, before.parts)
        server.use_client(made.client)
    except (HeadraceError, ValueError) as error:
        print(f"headrace: {error}; it goes on as before", file=sys.stderr, flush=True)
        return before
    print(f"headrace: {path} was read again: {made.client!r}", file=sys.stderr, flush=True)
    return made


@contextmanager
def _signals() -> Iterator[Iterator[int]]:
    """The signals to stop and to read again, one after the other, as they come."""
    reader, writer = os.pipe()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    # A pipe may be written to wherever the handler finds the program.
    before = {number: signal.signal(number, lambda caught, _: os.write(writer, bytes([caught]))) for number in numbers}
    try:
        yield iter(lambda: os.read(reader, 1)[0], 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _url(file: str) -> str:
    return file if "://" in file else f"sqlite:///{file}"
