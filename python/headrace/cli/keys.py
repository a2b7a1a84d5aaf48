"""`headrace keys`: who may ask an endpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.errors import ConfigError
from headrace.keys import KeyRing

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]


def register(subparsers: Subparsers) -> None:
    """Add `keys`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    keys = subparsers.add_parser("keys", help="make, list and revoke the keys of an endpoint")
    verbs = keys.add_subparsers(dest="verb", metavar="VERB", required=True)
    create = verbs.add_parser("create", help="make a key and show it, once")
    create.add_argument("file", metavar="FILE", help="the file of the keys; it is made where there is none")
    create.add_argument("--tenant", required=True, help="whose calls are made with it")
    create.add_argument("--name", help="what people call it")
    create.add_argument("--priority", default="critical", help="the most urgent that it may ask for (critical)")
    models = "one that it may name; openai/* for all of a provider; may be repeated"
    create.add_argument("--model", action="append", default=[], metavar="MODEL", help=models)
    create.add_argument("--budget", metavar="DOLLARS", help="the most that its calls may cost in a period")
    create.add_argument("--period", default="month", help="of the budget: hour, day, week, month or ever (month)")
    create.add_argument("--requests-per-minute", type=int, metavar="N", help="the most requests in any 60 seconds")
    create.add_argument("--concurrency", type=int, metavar="N", help="the most requests at once")
    create.add_argument("--admin", action="store_true", help="it may see what belongs to other tenants")
    create.set_defaults(run=_create)
    listing = verbs.add_parser("list", help="show every key that was made, and what it may do")
    listing.add_argument("file", metavar="FILE")
    listing.set_defaults(run=_list)
    revoke = verbs.add_parser("revoke", help="let a key in no more")
    revoke.add_argument("file", metavar="FILE")
    revoke.add_argument("id", metavar="ID", help="as `headrace keys list` shows it")
    revoke.set_defaults(run=_revoke)


def _create(given: argparse.Namespace) -> int:
    url = given.file if "://" in given.file else f"sqlite:///{given.file}"
    kept, key = KeyRing(url).create(
        given.tenant,
        name=given.name,
        priority=given.priority,
        models=given.model,
        budget=given.budget,
        period=given.period,
        requests_per_minute=given.requests_per_minute,
        concurrency=given.concurrency,
        admin=given.admin,
    )
    # The key alone goes to the output, so that it can be piped to where it is kept.
    print(key)
    print(f"key {kept.id} of {kept.tenant}: it is shown this once", file=sys.stderr)
    return 0


def _ring(file: str) -> KeyRing:
    """The keys of a file that is there: to look into one must not make it."""
    url = file if "://" in file else f"sqlite:///{file}"
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise ConfigError(f"there is no file of keys at {file}: `headrace keys create` makes one")
    return KeyRing(url)


def _list(given: argparse.Namespace) -> int:
    for key in _ring(given.file).list():
        budget = f"${key.budget} a {key.period}" if key.budget is not None else "no budget"
        models = ", ".join(key.models) or "any model"
        state = "revoked" if key.revoked else "good"
        rights = ", admin" if key.admin else ""
        print(f"{key.id}  {state}  {key.name}: tenant {key.tenant}, up to {key.priority}, {models}, {budget}{rights}")
    return 0


def _revoke(given: argparse.Namespace) -> int:
    if not _ring(given.file).revoke(given.id):
        raise ConfigError(f"there is no good key {given.id!r}: `headrace keys list` shows their ids")
    print(f"key {given.id} is revoked")
    return 0
