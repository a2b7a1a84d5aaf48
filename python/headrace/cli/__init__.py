"""The command `headrace`: a module a command, each with a function `register`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import headrace
from headrace.cli import cache, cost, doctor, loadtest, queue
from headrace.errors import HeadraceError

__all__ = ["main"]

COMMANDS = (loadtest, doctor, cost, queue, cache)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Those behind the command's name; None takes them from `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="headrace", description=headrace.__doc__)
    parser.add_argument("--version", action="version", version=f"headrace {headrace.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(commands)
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given) or 0)
    except (HeadraceError, ValueError, OSError) as error:
        print(f"headrace: {error}", file=sys.stderr)
        return 2
