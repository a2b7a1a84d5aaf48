"""`headrace serve`: the endpoint, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import headrace
from headrace.cli.telling import Telling
from headrace.cli.wake import Watched, wakes
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
    serve.add_argument(
        "--otel",
        action="store_true",
        help="send traces and figures over OTLP, as OpenTelemetry's variables say (headrace[otlp]); "
        "OTEL_EXPORTER_OTLP_ENDPOINT alone does so too",
    )
    serve.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run `headrace serve`."""
    # Before the file is read: a change from then on is one.
    watched = Watched(given.config) if given.config else None
    made = load(given.config) if given.config else None
    client = made.client if made else headrace.Client()
    said: dict[str, Any] = dict(made.server) if made else {}
    host = given.host or said.get("host", "127.0.0.1")
    port = given.port if given.port is not None else said.get("port", _PORT)
    keys = _url(given.keys) if given.keys else said.get("keys")
    bounds = {name: said[name] for name in _BOUNDS if name in said}
    telling = Telling(given.otel)
    with wakes(watched) as woken:
        server = headrace.Server(client, host, port, keys, **bounds)
        telling.of(client)
        print(f"headrace {headrace.__version__} at {server.url}: {client!r}", file=sys.stderr, flush=True)
        serving = _Serving(server, telling, watched, made)
        for what in woken:
            if what == "stop":
                break
            serving.read_again(given.config, is_asked=what == "read")
        is_whole = server.close(said.get("stop_timeout", 30.0))
    client.close()
    telling.close()
    if not is_whole:
        print("headrace: what ran longer than stop_timeout was broken off", file=sys.stderr)
    return 0


@dataclass
class _Serving:
    """What serves, and the file that it is by."""

    server: headrace.Server
    telling: Telling
    watched: Watched | None
    made: Configured | None

    def read_again(self, path: str | None, is_asked: bool) -> None:
        """Serve by the file as it is now; as before, where it cannot be read."""
        if path is None or self.made is None or self.watched is None:
            _log.warning("there is no configuration file to be read again: give --config")
            return
        if not (is_asked or self.watched.has_changed()):
            # A signal came for the same change.
            return
        self.watched.seen()
        try:
            made = load(path, self.made.parts)
            self.server.use_client(made.client)
        except (HeadraceError, ValueError) as error:
            self.server._stale()
            print(f"headrace: {error}; it goes on as before", file=sys.stderr, flush=True)
            return
        self.telling.of(made.client)
        print(f"headrace: {path} was read again: {made.client!r}", file=sys.stderr, flush=True)
        self.made = made


def _url(file: str) -> str:
    return file if "://" in file else f"sqlite:///{file}"
