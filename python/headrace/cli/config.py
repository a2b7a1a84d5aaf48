"""`headrace config check`: whether a configuration file can be served."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from headrace._core.gateway import read_config
from headrace.errors import ConfigError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]


def register(subparsers: Subparsers) -> None:
    """Add `config`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    config = subparsers.add_parser("config", help="look at a configuration file")
    verbs = config.add_subparsers(dest="verb", metavar="VERB", required=True)
    check = verbs.add_parser("check", help="say whether a file can be read, and where not, with line and column")
    check.add_argument("file", nargs="?", default="headrace.toml", metavar="FILE")
    check.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run `headrace config check`: nothing is opened and nothing is asked."""
    try:
        text = Path(given.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{given.file} cannot be read: {error}") from error
    said = read_config(text, given.file)
    names = [row["name"] for row in said["providers"]] or ["those whose keys the environment holds"]
    print(
        f"{given.file} is sound: providers {', '.join(names)}; {said['server']['host']}, port {said['server']['port']}"
    )
    return 0
