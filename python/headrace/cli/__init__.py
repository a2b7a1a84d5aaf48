"""The command `headrace`: a module a command, each with a function `register`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import headrace
from headrace.cli import cache, config, cost, doctor, keys, loadtest, queue, serve
from headrace.cli import map as map_rows
from headrace.errors import HeadraceError

__all__ = ["main"]

COMMANDS = (map_rows, serve, keys, config, loadtest, doctor, cost, queue, cache)


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
        status = int(given.run(given) or 0)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough, as `head` has; nothing more can be written, not at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (HeadraceError, ValueError, OSError) as error:
        print(f"headrace: {error}", file=sys.stderr)
        return 2
