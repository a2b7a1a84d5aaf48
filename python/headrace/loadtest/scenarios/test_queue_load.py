"""The queue under open-loop load: steady, rising until it is full, in a spike, and with a tenant that floods it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import headrace
from headrace.loadgen import Arrivals, Run, Target, closed_loop, open_loop
from headrace.loadtest.runs import latencies_ms
from headrace.loadtest.scenario import Scenario
from headrace.workload import ESG, Request

# A busy machine sends a little late. Latency counts from when a request was due: lag makes a figure worse, never better.
LAG = 0.05
WORKERS = 8
# What a worker is busy with one request for: eight workers do at most 1600 a second.
SERVICE = 0.005
CAPACITY = WORKERS / SERVICE
# Rates of the ramp, as shares of that; the first tells what an idle queue takes.
RAMP = (0.06, 0.125, 0.25, 0.5, 0.75, 1.5)
# How long after a spike one looks whether all is as before, in seconds.
WINDOW = 0.1


@pytest.mark.scenario("queue_load", suite="comprehensive", title="Queue under open-loop load", seconds=6.0)
def test_queue_load(scenario: Scenario) -> None:
    """500 requests a second, Poisson; meanwhile an application puts its own: what a put and a wait take."""
    for round in scenario.rounds(least=3):
        queue = scenario.config.queue()
        target = Target.queue(queue, workers=WORKERS, service=0.001)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                open_loop,
                target,
                ESG(seed=scenario.seed),
                Arrivals.poisson(500),
                length=1.0,
                seed=round.index,
                max_lag=LAG,
            )
            took, done = _probe(queue, 0.7)
            run = running.result()
        round.run(run)
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


@pytest.mark.scenario("saturation", suite="comprehensive", title="Ramp to saturation", seconds=25.0)
def test_saturation(scenario: Scenario) -> None:
    """Rising rates, a fresh queue each: up to which one the latency stays near that of an idle queue."""
    for round in scenario.rounds(least=6, most=13):
        idle, knee, peak = 0.0, 0.0, 0.0
        points = []
        for share in RAMP:
            run = _undisturbed(scenario, Arrivals.poisson(CAPACITY * share), 0.25, round.index)
            if run.void:
                round.void(run.void)
            times = latencies_ms(run)
            rate, p95 = len(times) / run.length, float(np.quantile(times, 0.95))
            idle = idle or p95
            peak = max(peak, rate)
            if share > RAMP[0] and p95 < 3 * idle:
                knee = CAPACITY * share
            points.append((rate, p95))
        round.trend("knee", [knee])
        round.trend("peak", [peak])
        round.trend("used", [peak / CAPACITY])
        round.series("latency (p95) against throughput", points, "requests a second, milliseconds")


def _run(scenario: Scenario, arrivals: Arrivals, length: float, seed: int) -> Run:
    target = Target.queue(scenario.config.queue(), workers=WORKERS, service=SERVICE)
    return open_loop(target, ESG(seed=scenario.seed), arrivals, length=length, seed=seed, drain=10.0, max_lag=LAG)


def _undisturbed(scenario: Scenario, arrivals: Arrivals, length: float, seed: int) -> Run:
    """A step of the ramp, taken again where the generator was late: else one in six would void the other five."""
    run = _run(scenario, arrivals, length, seed)
    for _ in range(2):
        if run.void:
            run = _run(scenario, arrivals, length, seed)
    return run


@pytest.mark.scenario("spike", suite="comprehensive", title="Spike", seconds=10.0)
def test_spike(scenario: Scenario) -> None:
    """Ten times the usual rate for 0.3 s: nothing is lost, and how long until latency is as before."""
    before, spike, after = 0.5, 0.3, 1.5
    for round in scenario.rounds(least=2):
        stages = [(before, 200, 200), (spike, 2000, 2000), (after, 200, 200)]
        run = _run(scenario, Arrivals.staged(stages), before + spike + after, round.index)
        round.run(run)
        samples = run.samples()
        due, late = samples["intended"] - before - spike, samples["latency"]
        usual = float(np.median(late[due < -spike]))
        # Single slow requests come and go, so the spike is over with the first tenth of a second that is mostly as usual.
        ends = np.arange(WINDOW, after, WINDOW)
        over = (end for end in ends if np.median(late[(due >= end - WINDOW) & (due < end)]) < 3 * usual)
        round.trend("recovery_ms", [1000 * float(next(over, after))])


@pytest.mark.scenario("tenant_fairness", suite="comprehensive", title="Tenant fairness", seconds=25.0)
def test_tenant_fairness(scenario: Scenario) -> None:
    """One tenant keeps all workers busy: in one queue with 16 requests at a time, in another with 5000 more before them.

    In both, another tenant's request waits for the next worker that is free; what more it waits, the flood has done. Both
    run at the same time, so that what the machine does is done to both.
    """
    for round in scenario.rounds(least=6):
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda flood, seed=round.index: _quiet_tenant(scenario, flood, seed), (5000, 0)))
        for run in both:
            if run.void:
                round.void(run.void)
            round.rate("success", int((run.samples()["status"] == 0).sum()), len(run))
        flooded, usual = (latencies_ms(run) for run in both)
        round.trend("slowdown", [float(np.median(flooded) / np.median(usual))])
        round.trend("slowdown_p95", [float(np.quantile(flooded, 0.95) / np.quantile(usual, 0.95))])
        round.series("of the quiet tenant, flooded", enumerate(flooded.tolist()), "request, milliseconds")


def _quiet_tenant(scenario: Scenario, flood: int, seed: int) -> Run:
    """A tenant that sends 200 requests a second, while another keeps all workers busy."""
    quiet, busy = ([Request(f"What was scope 1 in {2000 + n}?", tenant=name) for n in range(25)] for name in ("q", "b"))
    queue = scenario.config.queue()
    if flood:
        queue.put_many([{"prompt": "flood"}] * flood, tenant="b")
    target = Target.queue(queue, workers=WORKERS, service=SERVICE)
    with ThreadPoolExecutor(1) as pool:
        # Given up when the quiet tenant is through: the flood is not waited for.
        pool.submit(closed_loop, target, busy, users=2 * WORKERS, length=0.4, max_lag=1.0, timeout=0.5)
        return open_loop(target, quiet, Arrivals.poisson(200), length=0.4, seed=seed, drain=10.0, max_lag=LAG)
