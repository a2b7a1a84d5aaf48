"""What an endpoint adds to a direct call, and what it takes: `headrace serve` beside LiteLLM's proxy and Portkey's gateway.

    python benches/peers/gateway.py                         # about five minutes with both peers
    python benches/peers/gateway.py --rounds 2 --seconds 1  # to try it
    python benches/peers/gateway.py --portkey node_modules/@portkey-ai/gateway/build/start-server.js

LiteLLM's proxy (`pip install 'litellm[proxy]'`) is measured where `litellm` is a command, or by `--litellm`; Portkey's
gateway (`npm install @portkey-ai/gateway`) by `--portkey`, which is its start-server.js. What does not start is left out,
with a word.

The provider behind them is the simulated one: compiled, in a process of its own, answering at once. Each endpoint has one
core to itself; the provider and headrace's load generator, which asks, have the others. Every way is asked once a round, in
turns, at 1 connection and at 64, and by a stream of 1,000 chunks at a time; every request is another question, so that
nothing is cached. headrace keeps its ledger, its queue and its budgets in all of it; the peers keep nothing.

`added` is the median over the rounds of the difference to the direct way in the same round; `a second` the requests of the
middle round; `processor` the processor time of the endpoint's processes for a request, of which `a core` is the inverse:
what one core can do where it is not the generator that bounds. `memory` is resident, of all its processes, at the end.
The ratios are each peer's figure to headrace's. Where the machine was not idle, the report says so: figures of processor
time hold better then than those of time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
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

from behind import MODEL, provider
from headrace.loadgen import Target, closed_loop, machine_noise
from headrace.workload import ESG

CHUNKS = 1000
OURS = "headrace serve"
#: The figures that the peers' are compared by.
COMPARED = ("added p50", "added p99", "a second", "a core", "memory MiB")
#: What is measured: its name, the connections, and whether the answers are streamed.
WAYS_TO_ASK = (("1 connection", 1, False), ("64 connections", 64, False), (f"a stream of {CHUNKS} chunks", 1, True))
CONFIG = """
[[providers]]
name = "local"
base_url = "{url}"
[cache]
max_entries = 1
"""
LITELLM = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {url}
      api_key: unused
general_settings:
  dangerously_permit_weak_or_unset_master_key: true
"""
TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """One turn of a way: seconds at p50 and p99, of a chunk where it is a stream; requests a second; seconds of processor."""

    p50: float
    p99: float
    rate: float
    processor: float


@dataclass
class Way:
    """One way to ask, with what was seen of it, by what was asked."""

    name: str
    url: str
    model: str
    headers: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cores() -> tuple[set[int], set[int]]:
    """The core of an endpoint, and those of all else."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


@contextlib.contextmanager
def started(command: list[str], ready: str, own: set[int]) -> Iterator[subprocess.Popen]:
    """A server on its core, from when it answers."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, preexec_fn=lambda: os.sched_setaffinity(0, own), start_new_session=True
        )
        try:
            until = time.monotonic() + 300
            while True:
                try:
                    urllib.request.urlopen(ready, timeout=1).close()
                    break
                except OSError as error:
                    if time.monotonic() > until or process.poll() is not None:
                        said.seek(0)
                        words = said.read()[-500:].decode(errors="replace").strip()
                        raise SystemExit(f"{command[0]} did not start: {error}\n{words}") from None
                    time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


@contextlib.contextmanager
def ways(litellm: str | None, portkey: str | None) -> Iterator[list[Way]]:
    own, others = cores()
    os.sched_setaffinity(0, others)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(provider())
        found = [Way("direct", url, MODEL)]

        def add(name: str, command: list[str], port: int, ready: str, model: str, **headers: str) -> None:
            root = f"http://127.0.0.1:{port}"
            try:
                process = stack.enter_context(started(command, root + ready, own))
            except (OSError, SystemExit) as error:
                if name == OURS:
                    raise
                print(f"{name} is left out: {error}")
                return
            found.append(Way(name, f"{root}/v1", model, headers, process))

        config, port = folder / "headrace.toml", free_port()
        config.write_text(CONFIG.format(url=url))
        command = [sys.executable, "-m", "headrace", "serve", "--config", str(config), "--port", str(port)]
        add(OURS, command, port, "/readyz", f"local/{MODEL}")
        if litellm:
            listed, port = folder / "litellm.yaml", free_port()
            listed.write_text(LITELLM.format(model=MODEL, url=url))
            command = [litellm, "--config", str(listed), "--port", str(port), "--host", "127.0.0.1"]
            add("LiteLLM proxy", [*command, "--num_workers", "1"], port, "/health/liveliness", MODEL)
        if portkey:
            port = free_port()
            # Its provider is said by each request.
            headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": url, "authorization": "Bearer unused"}
            command = ["node", portkey, f"--port={port}", "--headless"]
            add("Portkey gateway", command, port, "/", MODEL, **headers)
        yield found


def tree(root: int) -> list[int]:
    """A process and all below it."""
    below: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = file.read_text()
            below.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(file.parent.name))
    found = [root]
    for one in found:
        found.extend(below.get(one, []))
    return found


def processor(process: subprocess.Popen | None) -> float:
    """Seconds of processor time that its processes took so far."""
    total = 0.0
    for one in tree(process.pid) if process else []:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) * TICK
    return total


def memory(process: subprocess.Popen | None) -> float:
    """MiB that its processes hold."""
    total = 0
    for one in tree(process.pid) if process else []:
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/{one}/status").read_text().splitlines()
            total += sum(int(row.split()[1]) for row in rows if row.startswith("VmRSS"))
    return total / 1024


def long_questions(seed: int) -> list[str]:
    """Questions whose echo is a stream of as many chunks as they have words; asked over again, the cache has another one."""
    words = " ".join(f"w{word}" for word in range(CHUNKS - 1))
    return [f"{words} {seed}.{number}" for number in range(200)]


def look(way: Way, name: str, connections: int, is_stream: bool, seconds: float, seed: int) -> None:
    if name in way.failed:
        return
    target = Target.http(way.url, model=way.model, stream=is_stream, headers=way.headers or None)
    questions = long_questions(seed) if is_stream else ESG(seed=seed)
    before = processor(way.process)
    run = closed_loop(target, questions, users=connections, length=seconds, seed=seed)
    took = processor(way.process) - before
    told = run.samples()
    if (told["status"] != 0).any():
        failed = int((told["status"] != 0).sum())
        words = f"{way.name}: {failed} of {len(told['status'])} requests of {name} failed: {', '.join(run.errors)}"
        if way.name in ("direct", OURS):
            raise SystemExit(words)
        print(f"{words}; it is left out there")
        way.failed.add(name)
        return
    each = CHUNKS if is_stream else 1
    order = sorted((told["latency"] / each).tolist())
    count = len(order)
    way.seen.setdefault(name, []).append(
        Seen(order[count // 2], order[count * 99 // 100], count * each / run.length, took / count / each)
    )


def figures(way: Way, base: Way, name: str, scale: float) -> dict[str, float]:
    """A row of the table; the direct way has no process to look at."""
    mine, direct = way.seen[name], base.seen[name]

    def middle(of: str) -> float:
        return statistics.median(getattr(one, of) for one in mine)

    def added(of: str) -> float:
        return statistics.median(getattr(one, of) - getattr(least, of) for one, least in zip(mine, direct, strict=True))

    row = {"p50": middle("p50") * scale, "p99": middle("p99") * scale}
    row |= {"added p50": added("p50") * scale, "added p99": added("p99") * scale, "a second": middle("rate")}
    if way.process is not None:
        took = middle("processor")
        row |= {"processor µs": took * 1e6, "a core": 1 / took if took else 0.0, "memory MiB": memory(way.process)}
    return row


def table(found: list[Way], name: str, is_stream: bool) -> None:
    scale = 1e6 if is_stream else 1e3
    rows = {way.name: figures(way, found[0], name, scale) for way in found if name not in way.failed}
    columns, ours = list(rows[OURS]), rows[OURS]
    print(
        f"\n{name}; p50 and p99 in {'µs a chunk' if is_stream else 'ms'}, the other figures a {'chunk' if is_stream else 'request'}\n"
    )
    print(f"| way | {' | '.join(columns)} |")
    print("|---" * (1 + len(columns)) + "|")
    for who, row in rows.items():
        print(f"| {who} | {' | '.join(shown(row[column]) if column in row else '' for column in columns)} |")
    print(f"\n| how many times headrace's | {' | '.join(COMPARED)} |")
    print("|---" * (1 + len(COMPARED)) + "|")
    for who, row in rows.items():
        if who != OURS and set(COMPARED) <= row.keys():
            print(f"| {who} | {' | '.join(ratio(row[column], ours[column]) for column in COMPARED)} |")


def shown(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def ratio(theirs: float, ours: float) -> str:
    """Without one where a figure is not above zero, as where nothing is added."""
    return f"{theirs / ours:.3g}" if theirs > 0 and ours > 0 else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--litellm", default=shutil.which("litellm"), help="its command")
    parser.add_argument("--portkey", help="its start-server.js")
    given = parser.parse_args()
    # Told to stop, it stops the endpoints too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load, noise = os.getloadavg()[0], machine_noise()["lost_share"]
    print(f"load of the machine before: {load:.2f}; share of time that others took: {noise:.1%}")
    if load > 0.5 or noise > 0.05:
        print("UNDER LOAD: others ran on this machine; the figures are no more than a trial")
    with ways(given.litellm, given.portkey) as found:
        for number in range(given.rounds + 1):
            for name, connections, is_stream in WAYS_TO_ASK:
                turn = number % len(found)
                for way in found[turn:] + found[:turn]:
                    look(way, name, connections, is_stream, given.seconds if number else 1.0, number)
            if number == 0:
                # Connections are made and code is warm.
                for way in found:
                    way.seen.clear()
        for name, _, is_stream in WAYS_TO_ASK:
            table(found, name, is_stream)


if __name__ == "__main__":
    main()
