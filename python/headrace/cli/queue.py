"""`headrace queue ...`: what waits in a queue, and what died there."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from headrace.cli.location import existing
from headrace.queue import RequestQueue

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]


def register(subparsers: Subparsers) -> None:
    """Add `queue` and its verbs.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    queue = subparsers.add_parser("queue", help="what waits in a queue, and what died there")
    verbs = queue.add_subparsers(dest="verb", required=True)
    for name, run, text in [
        ("stats", stats, "how many wait, are leased, are done, are dead"),
        ("dead", dead, "the dead letters, a line of JSON each"),
        ("requeue", requeue, "let dead letters try again"),
    ]:
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("url", metavar="QUEUE", help="the queue: sqlite:///FILE, or the file")
        verb.add_argument("--name", default="default", help="of several queues in one file")
        verb.set_defaults(run=run)
        if name == "requeue":
            verb.add_argument("ids", nargs="+", metavar="ID", help="ids of dead letters, or all")


def stats(arguments: argparse.Namespace) -> int:
    """Run `headrace queue stats`."""
    print(json.dumps(_open(arguments).stats(), indent=2, default=str))
    return 0


def dead(arguments: argparse.Namespace) -> int:
    """Run `headrace queue dead`."""
    for letter in _open(arguments).dead():
        print(json.dumps(letter, default=str, ensure_ascii=False))
    return 0


def requeue(arguments: argparse.Namespace) -> int:
    """Run `headrace queue requeue`."""
    queue = _open(arguments)
    ids = [letter["id"] for letter in queue.dead()] if arguments.ids == ["all"] else arguments.ids
    for id_ in ids:
        queue.requeue(id_)
    print(f"{len(ids)} requeued")
    return 0


def _open(arguments: argparse.Namespace) -> RequestQueue:
    return RequestQueue(existing(arguments.url, "queue", "RequestQueue"), name=arguments.name)
