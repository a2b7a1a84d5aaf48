"""What an endpoint adds to a direct call: `headrace serve`, and LiteLLM's proxy where it is installed.

    python benches/peers/gateway.py                 # direct, headrace and, where `litellm` is a command, LiteLLM's proxy
    python benches/peers/gateway.py --rounds 3 --seconds 3

The provider behind them is the simulated one, which answers at once and runs in a process of its own, as each endpoint does.
The questions are asked by headrace's load generator, at one connection and at 64, in turns: in each round every way is
asked once, so that what else the machine does meets all of them. Every request is another question: nothing is cached.

`added` is the median over the rounds of the difference to the direct way in the same round, at p50 and at p99; `requests a
second` that of the round with most; `memory` the resident memory of the endpoint's process after the last round.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headrace.loadgen import Target, closed_loop
from headrace.workload import ESG

CONNECTIONS = (1, 64)
PROVIDER = """
import sys
from headrace.providers import SimulatedServer
with SimulatedServer(time_to_first_token=0, tokens_per_second=0) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
CONFIG = """
[[providers]]
name = "local"
base_url = "{url}"
[cache]
max_entries = 1
"""


@dataclass
class Way:
    """One way to ask, with what was seen of it: (connections, p50, p99, requests a second) of each round."""

    name: str
    url: str
    model: str
    process: subprocess.Popen | None = None
    seen: list[tuple[int, float, float, float]] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def provider() -> Iterator[str]:
    command = [sys.executable, "-c", PROVIDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()


@contextlib.contextmanager
def started(command: list[str], ready: str) -> Iterator[subprocess.Popen]:
    """A server, from when it says that it is ready."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}, **quiet)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(ready, timeout=1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise SystemExit(f"{command[0]} did not start") from None
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def ways() -> Iterator[list[Way]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(provider())
        found = [Way("direct", url, "echo")]
        config, port = folder / "headrace.toml", free_port()
        config.write_text(CONFIG.format(url=url))
        command = [sys.executable, "-m", "headrace", "serve", "--config", str(config), "--port", str(port)]
        process = stack.enter_context(started(command, f"http://127.0.0.1:{port}/readyz"))
        found.append(Way("headrace serve", f"http://127.0.0.1:{port}/v1", "local/echo", process))
        if shutil.which("litellm"):
            listed, port = folder / "litellm.yaml", free_port()
            listed.write_text(
                f"model_list:\n  - model_name: echo\n    litellm_params:\n      model: openai/echo\n      api_base: {url}\n      api_key: unused\n"
            )
            command = ["litellm", "--config", str(listed), "--port", str(port), "--host", "127.0.0.1"]
            process = stack.enter_context(started(command, f"http://127.0.0.1:{port}/health/liveliness"))
            found.append(Way("LiteLLM proxy", f"http://127.0.0.1:{port}/v1", "echo", process))
        yield found


def look(way: Way, connections: int, seconds: float, seed: int) -> None:
    target = Target.http(way.url, model=way.model, stream=False)
    run = closed_loop(target, ESG(seed=seed), users=connections, length=seconds, seed=seed)
    told = run.samples()
    if (told["status"] != 0).any():
        raise SystemExit(f"{way.name}: not every request succeeded: {run.errors}")
    order = sorted(told["latency"].tolist())
    rate = len(order) / run.length
    way.seen.append((connections, order[len(order) // 2], order[len(order) * 99 // 100], rate))


def memory(process: subprocess.Popen | None) -> str:
    if process is None:
        return ""
    rows = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(f"{int(row.split()[1]) / 1024:.0f} MiB" for row in rows if row.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    with ways() as found:
        for number in range(given.rounds + 1):
            for connections in CONNECTIONS:
                for way in found:
                    look(way, connections, given.seconds if number else 0.5, number)
            if number == 0:
                # Connections are made and code is warm.
                for way in found:
                    way.seen.clear()
        print("| way | connections | p50 ms | p99 ms | added p50 ms | added p99 ms | requests a second | memory |")
        print("|---|---|---|---|---|---|---|---|")
        for connections in CONNECTIONS:
            base = [seen for seen in found[0].seen if seen[0] == connections]
            for way in found:
                mine = [seen for seen in way.seen if seen[0] == connections]
                middle = [statistics.median(seen[k] for seen in mine) * 1e3 for k in (1, 2)]
                added = [statistics.median(a[k] - b[k] for a, b in zip(mine, base, strict=True)) * 1e3 for k in (1, 2)]
                rate = max(seen[3] for seen in mine)
                figures = " | ".join(f"{figure:.2f}" for figure in middle + added)
                print(f"| {way.name} | {connections} | {figures} | {rate:.0f} | {memory(way.process)} |")


if __name__ == "__main__":
    main()
