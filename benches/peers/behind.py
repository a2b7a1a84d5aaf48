"""What the benches of peers share: the provider behind all of them, compiled and in a process of its own.

It answers at once, so that what is measured is what stands before it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

# Nothing may leave the machine: no price map is fetched, nobody is told of the use, no proxy is asked.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS", "1")
os.environ.setdefault("NO_PROXY", "127.0.0.1")

MODEL = "echo"

SERVER = """
import sys
from headrace.providers import SimulatedServer
with SimulatedServer(time_to_first_token=0, tokens_per_second=0) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """The provider, as long as the block lasts: what to give as `base_url`."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
