"""Three times as much as a provider takes: what an endpoint still answers, how soon, whom it refuses, and how soon it is over.

    python benches/overload.py                           # two minutes; prints a table
    python benches/overload.py --plot docs/overload.svg  # draws it as well
    python benches/overload.py --soak 3600               # half of what it takes, for an hour: how memory grows

The provider behind the endpoint has so many places, takes so long for an answer and lets the rest wait, as a model server
does: what it takes is known beforehand. An answer takes half to one and a half times as long as the usual one: equal ones
would all end at once. The endpoint is `headrace.Server` over `Client(adaptive=True)`, in a process of its own, which has to
find that out; its ledger is a file, since one in memory keeps every call in memory. Requests are sent when they are due,
whatever became of the ones before, 1 in 20 of them critical, 3 high, 8 normal and 8 low; every one is another question. What a
queue keeps for a while makes memory grow for the first minutes of a soak: the first tenth does not count, so that half an hour
is the least that says something.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
from headrace.loadgen import Arrivals, ProcessSampler, Run, Target, open_loop
from headrace.workload import Request

PLACES, SECONDS = 16, 0.1
TAKES = PLACES / SECONDS
HALF = TAKES / 2
#: Seconds of each part: to get to know the provider, at half of what it takes, at three times, at half again.
WARM, CALM, OVER, AFTER = 15, 15, 30, 30
PRIORITIES = ("critical", "high", "normal", "low")
SERVER = """
import sys, headrace
provider = headrace.providers.OpenAICompatible(sys.argv[1], name="local")
cache, costs = headrace.SemanticCache(max_entries=1), headrace.CostTracker(url=sys.argv[2])
client = headrace.Client(provider, adaptive=True, max_attempts=1, cache=cache, costs=costs)
with headrace.Server(client) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
REPLY = (
    b'{"id":"a","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"1,204 t"}}],"usage":{"prompt_tokens":9,"completion_tokens":3}}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY)


async def provide() -> None:
    """The provider, until its input ends."""
    places, dice = asyncio.Semaphore(PLACES), random.Random(7)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                fields = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(fields.split(b"content-length:")[1].split(b"\r\n")[0]))
                async with places:
                    await asyncio.sleep(SECONDS * dice.uniform(0.5, 1.5))
                writer.write(HEAD + REPLY)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[str, int]]:
    """A process of this interpreter: the address that it says, and its number."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, *arguments], **pipes) as child:
        yield child.stdout.readline().strip(), child.pid


def asked(url: str, stages: list[tuple[float, float, float]], length: float) -> Run:
    weights = [1 * [0], 3 * [1], 8 * [2], 8 * [3]]
    kinds = np.random.default_rng(1).permutation(np.concatenate(weights * 50))
    count = int(1.2 * sum(seconds * (first + last) / 2 for seconds, first, last in stages)) + 1000
    questions = [
        Request(f"What were the emissions of company {number}?", priority=PRIORITIES[kinds[number % len(kinds)]])
        for number in range(count)
    ]
    target = Target.http(f"{url}/v1", model="local/m", stream=False)
    return open_loop(target, questions, Arrivals.staged(stages), length=length, max_lag=0.1)


def overload(url: str, plot: str | None) -> None:
    stages = [(WARM, HALF, HALF), (CALM, HALF, HALF), (OVER, 3 * TAKES, 3 * TAKES), (AFTER, HALF, HALF)]
    run = asked(url, stages, WARM + CALM + OVER + AFTER)
    told = run.samples()
    at, status, priority = told["intended"], told["status"], told["priority"]
    done, latency = at + told["latency"], told["latency"]
    begin, end = WARM + CALM, WARM + CALM + OVER
    good = np.bincount(done[status == 0].astype(int), minlength=end + AFTER)
    sent = np.bincount(at.astype(int), minlength=end + AFTER)

    def p99(first: float, last: float) -> float:
        mine = latency[(at >= first) & (at < last) & (priority == 0) & (status == 0)]
        return float(np.quantile(mine, 0.99)) * 1e3

    # The second from which on, of what was asked in each, 95 of 100 were answered within a second.
    in_time = np.bincount(at[(status == 0) & (latency <= 1)].astype(int), minlength=end + AFTER)
    short = [second for second in range(end, end + AFTER) if in_time[second] < 0.95 * sent[second]]
    recovered = short[-1] + 1 - end if short else 0
    calm, over = p99(WARM, begin), p99(begin + 5, end)
    print(f"\nThe provider takes {TAKES:.0f} requests a second; for {OVER} s it was asked {3 * TAKES:.0f}.\n")
    print("| | |\n|---|---|")
    print(
        f"| answered a second under overload | {good[begin + 5 : end].mean():.0f}, {good[begin + 5 : end].mean() / TAKES:.0%} of what it takes |"
    )
    print(f"| p99 of critical, calm | {calm:.0f} ms |")
    print(f"| p99 of critical, under overload from the 5th second on | {over:.0f} ms, {over / calm:.2f} times |")
    print(f"| after it, until 95 % was answered again, within a second | {recovered} s |")
    during = (at >= begin) & (at < end)
    shares = [float((status[during & (priority == place)] != 0).mean()) for place in range(4)]
    for name, share in zip(PRIORITIES, shares, strict=True):
        print(f"| refused or failed of {name} | {share:.1%} |")
    lag = float(np.quantile(told["lag"], 0.99)) * 1e3
    print(
        f"| how late the generator was, p99 | {lag:.1f} ms{': the machine was not idle, a trial' if lag > 10 else ''} |"
    )
    if plot:
        draw(plot, sent, good, at, latency, status, priority, (begin, end))


def draw(file: str, sent, good, at, latency, status, priority, over: tuple[int, int]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, (rates, times, refusals) = plt.subplots(3, 1, figsize=(8, 8), sharex=True, layout="constrained")
    seconds = np.arange(len(sent))
    rates.plot(seconds, sent[: len(seconds)], color="0.6", label="asked")
    rates.plot(seconds, good[: len(seconds)], label="answered")
    rates.axhline(TAKES, color="0.3", linestyle=":", label="what the provider takes")
    rates.set_ylabel("requests a second")
    for place, name in enumerate(PRIORITIES):
        mine = priority == place
        asked_for = np.bincount(at[mine].astype(int), minlength=len(seconds))
        refused = np.bincount(at[mine & (status != 0)].astype(int), minlength=len(seconds))
        refusals.plot(seconds, 100 * refused / np.maximum(asked_for, 1), label=name)
        answered = mine & (status == 0)
        of = at[answered].astype(int)
        late = [
            np.quantile(latency[answered][of == second], 0.99) * 1e3 if (of == second).any() else np.nan
            for second in seconds
        ]
        times.plot(seconds, late, label=name)
    times.set_ylabel("p99 of answers, ms")
    times.set_yscale("log")
    refusals.set_ylabel("refused, %")
    refusals.set_xlabel("seconds")
    for axes in (rates, times, refusals):
        axes.axvspan(*over, color="0.92", zorder=0)
        axes.legend(loc="upper right", fontsize="small")
    figure.savefig(file, metadata={"Date": None})


def soak(url: str, pid: int, length: float) -> None:
    """Half of what the provider takes, and how memory grows meanwhile."""
    with ProcessSampler(pid) as watch:
        run = asked(url, [(length, HALF, HALF)], length)
    failed = int((run.samples()["status"] != 0).sum())
    print(f"{length:.0f} s at {HALF:.0f} requests a second, {failed} of {len(run.samples()['status'])} failed")
    slope = watch.leak()
    print(
        f"memory of the endpoint: {slope.value:+,.0f} bytes a second, {slope.low:+,.0f} to {slope.high:+,.0f} at 95 %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="where to draw it")
    parser.add_argument("--soak", metavar="SECONDS", type=float, help="half of what it takes for so long, instead")
    parser.add_argument("--provider", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.provider:
        asyncio.run(provide())
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        process(__file__, "--provider") as (provider, _),
        process("-c", SERVER, provider, f"sqlite:///{folder}/ledger.db") as (url, pid),
    ):
        if given.soak:
            soak(url, pid, given.soak)
        else:
            overload(url, given.plot)


if __name__ == "__main__":
    main()
