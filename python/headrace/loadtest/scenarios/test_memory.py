"""Memory and steadiness over time: what a request leaves behind, and whether the last are as fast as the first."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import headrace
from headrace.loadgen import Arrivals, Target, closed_loop, open_loop
from headrace.loadtest.runs import PYTHON_LAG, latencies_ms
from headrace.loadtest.scenario import Scenario
from headrace.workload import ESG, Request

# So many rounds of two seconds; then what has worked so long is held against what has not.
SOAK = 4
PACE = {"time_to_first_token": 0.005, "tokens_per_second": 0}


@pytest.mark.scenario("memory_usage", suite="comprehensive", title="Memory", seconds=8.0)
def test_memory_usage(scenario: Scenario) -> None:
    """Calls one after the other through cache, queue and ledger: how memory grows with each, by Theil and Sen."""
    targets = scenario.config
    client, pids = targets.client(time_to_first_token=0, tokens_per_second=0), targets.pids()
    requests = ESG(seed=scenario.seed, questions=200).take(2000)

    def one(request: Request) -> None:
        # Every other one goes past the cache, to the provider; all of them where its process is the one that is looked at.
        client.chat(targets.model, request.messages, timeout=20, cache=not pids and request.index % 2 == 0)
        targets.after_request()

    target = Target.python(one, workers=targets.workers(4))
    # Pools and the cache fill first: what they take is no leak.
    closed_loop(target, requests, users=4, length=0.5, max_lag=PYTHON_LAG)
    for round in scenario.rounds(least=3):
        with targets.watch(0.02) as watched:
            run = closed_loop(target, requests, users=4, length=1.5, max_lag=PYTHON_LAG, seed=round.index)
        round.run(run)
        if targets.url and not pids:
            round.note("the memory is this process's: the target's is on another machine, or give --target-pid")
        seen = watched.samples()
        grown = watched.growth(run.samples()["end"])
        if grown == grown:
            round.trend("kib_per_request", [grown / 1024])
        round.trend("peak_mb", [float(np.nanmax(seen["rss"])) / 1e6])
        points = zip((seen["at"] + round.index * 1.5).tolist(), (seen["rss"] / 1e6).tolist(), strict=True)
        round.series("memory", points, "seconds, megabytes")


@pytest.mark.scenario("soak", suite=("comprehensive", "target"), title="Soak", seconds=14.0)
def test_soak(scenario: Scenario) -> None:
    """A hundred a second for a while: nothing fails, nothing slows down, no file stays open."""
    targets = scenario.config
    client = targets.client(**PACE)

    def one(request: Request) -> Any:
        got = client.chat(targets.model, request.messages, timeout=20, cache=False)
        targets.after_request()
        return got

    target = Target.python(one, workers=targets.workers(32))
    first: npt.NDArray[np.float64] | None = None
    for round in scenario.rounds(least=SOAK, most=2 * SOAK):
        with targets.watch(0.05) as watched:
            run = open_loop(
                target,
                ESG(seed=scenario.seed),
                Arrivals.poisson(100),
                length=2.0,
                seed=round.index,
                max_lag=PYTHON_LAG,
            )
        round.run(run)
        took = latencies_ms(run)
        if first is None and not run.void:
            first = took
        if first is not None and round.index >= SOAK - 1:
            # A server at a URL cannot be had afresh: its end is held against its beginning.
            aged = (
                _in_turns(client, targets.client(**PACE), targets.model) if not targets.url else took / np.median(first)
            )
            round.trend("slowdown", [float(np.median(part)) for part in np.array_split(aged, 10) if part.size])
        files = watched.growth(run.samples()["end"], "files")
        if files == files:
            round.trend("files_left_open", [100 * files])


def _in_turns(aged: headrace.Client, fresh: headrace.Client, model: str) -> npt.NDArray[np.float64]:
    """How many times as long an answer of the one takes as one of the other, asked in turns: the machine is the same."""
    ratios = []
    for n in range(50):
        took = []
        for client in (aged, fresh):
            began = time.perf_counter()
            client.chat(model, f"What was scope 1 in {2000 + n}?", timeout=20, cache=False)
            took.append(time.perf_counter() - began)
        ratios.append(took[0] / took[1])
    fresh.close()
    return np.array(ratios)
