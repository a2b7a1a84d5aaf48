"""The queue under open-loop load: steady, rising until it is full, in a spike, and with a tenant that floods it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import headrace
from headrace.loadgen import Arrivals, Run, Target, open_loop
from headrace.loadtest.runs import latencies_ms, take
from headrace.loadtest.scenario import Scenario
from headrace.workload import ESG, Request

WORKERS = 8
# What a worker is busy with one request for: eight workers do at most 1600 a second.
SERVICE = 0.005
CAPACITY = WORKERS / SERVICE


@pytest.mark.scenario("queue_load", suite="comprehensive", title="Queue under open-loop load", seconds=6.0)
def test_queue_load(scenario: Scenario) -> None:
    """500 requests a second, Poisson; meanwhile an application puts its own: what a put and a wait take."""
    for round in scenario.rounds(least=3):
        queue = scenario.config.queue()
        target = Target.queue(queue, workers=4, service=0.001)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                open_loop, target, ESG(seed=scenario.seed), Arrivals.poisson(500), length=1.0, seed=round.index
            )
            took, done = _probe(queue, 0.7)
            run = running.result()
        take(round, run)
        waits = run.extra()["queue_wait_ms"][1]
        round.trend("queue_wait_ms", waits)
        round.series("queue wait", enumerate(waits.tolist()), "request, milliseconds")
        round.trend("enqueue_ms", took)
        round.rate("completed", sum(done), len(done))


def _probe(queue: headrace.RequestQueue, length: float) -> tuple[list[float], list[bool]]:
    """Puts of an application in between: how long each takes, and whether its result came."""
    took: list[float] = []
    done: list[bool] = []
    until = time.perf_counter() + length
    while time.perf_counter() < until:
        before = time.perf_counter()
        id = queue.put({"prompt": "What is scope 1?"}, priority="high")
        took.append((time.perf_counter() - before) * 1000)
        try:
            queue.result(id, timeout=2.0)
            done.append(True)
        except headrace.HeadraceError:
            done.append(False)
        time.sleep(0.005)
    return took, done


@pytest.mark.scenario("saturation", suite="comprehensive", title="Ramp to saturation", seconds=12.0)
def test_saturation(scenario: Scenario) -> None:
    """Rising rates, a fresh queue each: up to which one the latency stays near that of an idle queue."""
    for round in scenario.rounds(least=3, most=3):
        idle, knee, peak = 0.0, 0.0, 0.0
        points = []
        for share in (0.125, 0.25, 0.5, 0.75, 1.5):
            run = _run(scenario, Arrivals.poisson(CAPACITY * share), 0.4, round.index)
            if run.void:
                round.void(run.void)
            times = latencies_ms(run)
            rate, p95 = len(times) / run.length, float(np.quantile(times, 0.95))
            idle = idle or p95
            peak = max(peak, rate)
            if p95 < 3 * idle:
                knee = CAPACITY * share
            points.append((rate, p95))
        round.trend("knee", [knee])
        round.trend("peak", [peak])
        round.trend("used", [peak / CAPACITY])
        if round.index == 0:
            round.series("latency (p95) against throughput", points, "requests a second, milliseconds")


def _run(scenario: Scenario, arrivals: Arrivals, length: float, seed: int) -> Run:
    target = Target.queue(scenario.config.queue(), workers=WORKERS, service=SERVICE)
    return open_loop(target, ESG(seed=scenario.seed), arrivals, length=length, seed=seed, drain=10.0)


@pytest.mark.scenario("spike", suite="comprehensive", title="Spike", seconds=8.0)
def test_spike(scenario: Scenario) -> None:
    """Ten times the usual rate for 0.3 s: nothing is lost, and how long until latency is as before."""
    for round in scenario.rounds(least=2):
        stages = [(0.5, 200, 200), (0.3, 2000, 2000), (1.5, 200, 200)]
        run = _run(scenario, Arrivals.staged(stages), 2.3, round.index)
        take(round, run)
        samples = run.samples()
        due, late = samples["intended"], samples["latency"]
        usual = float(np.quantile(late[due < 0.5], 0.95))
        slow = due[(due >= 0.8) & (late > 3 * usual)]
        # Single slow requests come and go; the spike is over when the last tenth of those that it slowed is through.
        round.trend("recovery_ms", [(float(np.quantile(slow, 0.9)) - 0.8) * 1000 if slow.size else 0.0])


@pytest.mark.scenario("tenant_fairness", suite="comprehensive", title="Tenant fairness", seconds=8.0)
def test_tenant_fairness(scenario: Scenario) -> None:
    """One tenant puts 5000 requests at once: how much longer another one's then take."""
    quiet = [Request(f"What was scope 1 in {2000 + n}?", tenant="quiet") for n in range(25)]
    for round in scenario.rounds(least=5):
        took = {}
        for flood in (0, 5000):
            queue = scenario.config.queue()
            if flood:
                queue.put_many([{"prompt": "flood"}] * flood, tenant="flood")
            target = Target.queue(queue, workers=WORKERS, service=SERVICE)
            run = open_loop(target, quiet, Arrivals.constant(80), length=0.5, seed=round.index, drain=10.0)
            if run.void:
                round.void(run.void)
            took[flood] = latencies_ms(run)
            round.rate("success", len(took[flood]), len(run))
        round.trend("slowdown", [float(np.median(took[5000]) / np.median(took[0]))])
        round.series("of the quiet tenant, flooded", enumerate(took[5000].tolist()), "request, milliseconds")
