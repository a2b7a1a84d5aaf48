"""`headrace cache ...`: what a cache file holds, why it serves or does not, and how to empty it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headrace import embedders
from headrace.cache import SemanticCache
from headrace.cli.location import existing

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]

EMBEDDERS: dict[str, Callable[[], Any]] = {
    "static": embedders.static,
    "minilm": embedders.minilm,
    "none": lambda: None,
}


def register(subparsers: Subparsers) -> None:
    """Add `cache` and its verbs.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    cache = subparsers.add_parser("cache", help="what a cache holds, and why it serves")
    verbs = cache.add_subparsers(dest="verb", required=True)
    for name, run, text in [
        ("stats", stats, "entries, hits, bytes"),
        ("explain", explain, "the nearest entries to a prompt, and what each judge says of them"),
        ("purge", purge, "forget what expired, or everything"),
    ]:
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("url", metavar="CACHE", help="the cache: sqlite:///FILE, or the file")
        verb.set_defaults(run=run)
        if name == "explain":
            verb.add_argument("prompt", metavar="PROMPT", help="the question that was asked")
            verb.add_argument("--scope", help="the scope that the entry was put with")
            verb.add_argument("--tenant", default="default", help="the tenant that the entry belongs to")
            verb.add_argument("--limit", type=int, default=5, help="how many entries")
            verb.add_argument("--embedder", choices=EMBEDDERS, default="static", help="what made the entries' vectors")
            verb.add_argument("--verifier", choices=["none", "local"], default="none", help="what reads the questions")
        elif name == "purge":
            verb.add_argument("--all", action="store_true", help="everything, not only what expired")


def stats(arguments: argparse.Namespace) -> int:
    """Run `headrace cache stats`."""
    print(json.dumps(SemanticCache(url=_there(arguments)).stats(), indent=2, default=str))
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """Run `headrace cache explain`."""
    embedder = EMBEDDERS[arguments.embedder]()
    verifier = None if arguments.verifier == "none" else arguments.verifier
    cache = SemanticCache(embedder, verifier=verifier, url=_there(arguments))
    where = {"scope": arguments.scope, "tenant": arguments.tenant}
    print(cache.explain(arguments.prompt, limit=arguments.limit, **where))
    return 0


def purge(arguments: argparse.Namespace) -> int:
    """Run `headrace cache purge`."""
    cache = SemanticCache(url=_there(arguments))
    before = len(cache)
    if arguments.all:
        cache.clear()
    else:
        cache.purge_expired()
    print(f"{before - len(cache)} entries forgotten, {len(cache)} left")
    return 0


def _there(arguments: argparse.Namespace) -> str:
    return existing(arguments.url, "cache", "SemanticCache")
