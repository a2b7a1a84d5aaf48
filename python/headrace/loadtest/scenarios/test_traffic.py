"""Traffic as it is: recorded arrivals, a reporting season, sessions and documents; and how much a server can do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from headrace.loadgen import Arrivals, Target, closed_loop, open_loop, traces
from headrace.loadtest.runs import latencies_ms
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.targets import target_key
from headrace.workload import ESG

LENGTH = 3.0
# On average, in a second; a server at a URL is asked more gently.
RATE, GENTLE = 40.0, 20.0
# What a reader takes for prompt: the first word, and then word by word. What is slower is no goodput.
SLO_FIRST, SLO_GAP = 0.5, 0.05
USERS = (1, 2, 4, 8, 16, 32)


def _trace(name: str, rate: float) -> Arrivals:
    """The beginning of a recording, as fast as gives so many a second on average."""
    usual = Arrivals.trace(traces()[name])
    times = usual.times(10_000)
    return Arrivals.trace(traces()[name], speed=rate * float(times[-1]) / len(times))


ARRIVALS: dict[str, Callable[[float], Arrivals]] = {
    "conversation": lambda rate: _trace("azure-2023-conversation", rate),
    "bursts": lambda rate: _trace("azure-2023-code", rate),
    "season": lambda rate: Arrivals.season(rate, LENGTH),
}
TITLES = {
    "conversation": "Recorded chat traffic",
    "bursts": "Recorded bursts (code assistant)",
    "season": "A reporting season",
}


def _target(scenario: Scenario, **settings: float) -> Target:
    targets = scenario.config
    if targets.live:
        pytest.skip("thousands of requests are not for a provider that is paid")
    url = targets.address() or targets.server(**settings).url
    return Target.http(url, model=targets.model.split("/", 1)[1], api_key=target_key(), stream=True, timeout=30)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            id=name,
            marks=pytest.mark.scenario(
                f"traffic_{name}", suite=("comprehensive", "target"), title=f"Traffic: {TITLES[name]}", seconds=15.0
            ),
        )
        for name in ARRIVALS
    ],
)
def test_traffic(scenario: Scenario, name: str) -> None:
    """Four languages, five tenants, follow-up questions and documents, streamed: who is answered in time."""
    target = _target(scenario, time_to_first_token=0.02, tokens_per_second=1000)
    for round in scenario.rounds(least=3):
        requests = ESG(
            seed=scenario.seed + round.index,
            languages=["en", "de", "fr", "pt"],
            tenants=5,
            session_share=0.3,
            document_share=0.1,
            max_tokens=800,
        )
        run = open_loop(
            target,
            requests,
            ARRIVALS[name](GENTLE if scenario.config.url else RATE),
            length=LENGTH,
            seed=round.index,
            drain=10,
            max_lag=0.05,
            timeout=30,
        )
        round.run(run)
        samples = run.samples()
        first, gap = samples["first_token"] + samples["lag"], samples["token_gap"]
        round.trend("first_token_ms", first[first == first] * 1000)
        round.trend("token_gap_ms", gap[gap == gap] * 1000)
        in_time = (samples["status"] == 0) & (first <= SLO_FIRST) & ~(gap > SLO_GAP)
        round.rate("in_time", int(in_time.sum()), len(run))
        # By when they were due: in each half second, how many, and how many of them were answered in time.
        places = np.minimum(samples["intended"] * 2, 2 * LENGTH - 1).astype(int)
        due, good = (np.bincount(places, weights=one, minlength=int(2 * LENGTH)) * 2 for one in (None, in_time))
        round.trend("goodput", good.tolist())
        if round.index == 0:
            ends = (np.arange(1, len(due) + 1) / 2).tolist()
            round.series("requests due", zip(ends, due.tolist(), strict=True), "seconds, requests a second")
            round.series("of these in time", zip(ends, good.tolist(), strict=True), "seconds, requests a second")


@pytest.mark.scenario(
    "server_ramp", suite=("comprehensive", "target"), title="More and more users at a server", seconds=8.0
)
def test_server_ramp(scenario: Scenario) -> None:
    """Users who ask again at once, twice as many each time: throughput against latency."""
    target = _target(scenario, time_to_first_token=0.005, tokens_per_second=0)
    for round in scenario.rounds(least=2):
        rates, points = [], []
        for users in USERS:
            run = closed_loop(target, ESG(seed=round.index), users=users, length=0.4, timeout=10, max_lag=0.05)
            times = latencies_ms(run)
            if run.void:
                round.void(run.void)
            round.rate("success", len(times), len(run))
            rates.append(len(times) / max(run.length, 1e-9))
            if times.size:
                points.append((rates[-1], float(np.quantile(times, 0.95))))
        round.trend("peak", [max(rates)])
        round.series("latency (p95) against throughput", points, "requests a second, milliseconds")
