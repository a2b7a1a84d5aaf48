"""A simulated provider over HTTP in a process of its own, which answers at once: what the comparisons ask."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["server"]

SERVER = """
import sys
from headrace.providers import SimulatedServer
with SimulatedServer(time_to_first_token=0, tokens_per_second=0) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Its address, for as long as it runs."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
