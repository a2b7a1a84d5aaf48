"""Costs at volume: exact to the last digit from many threads, and never over a budget."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

import headrace
from headrace.loadtest.published import random_call
from headrace.loadtest.scenario import Scenario

THREADS = 4
# A round is timed in so many parts: a few long rounds would say little of a mean.
PARTS = 8
looking = threading.Lock()


@pytest.mark.scenario("cost_volume", suite="comprehensive", title="Cost tracking at volume", seconds=6.0)
def test_cost_volume(scenario: Scenario) -> None:
    """4000 calls a round from four threads: each exact, the sums too, as a whole and by tenant."""
    for round in scenario.rounds(least=3):
        rng = random.Random(scenario.seed + round.index)
        calls = [(f"tenant-{n % 5}", *random_call(rng)) for n in range(4000)]
        costs = headrace.CostTracker()

        def book(
            call: tuple[str, str, headrace.Usage, Decimal], costs: headrace.CostTracker = costs
        ) -> tuple[bool, float]:
            tenant, model, usage, expected = call
            before = time.perf_counter()
            record = costs.record(model, usage, tenant=tenant)
            took = (time.perf_counter() - before) * 1000
            return scenario.config.charged(record.cost) == expected, took

        booked: list[tuple[bool, float]] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for part in range(PARTS):
                started = time.perf_counter()
                booked += pool.map(book, calls[part::PARTS])
                round.trend("throughput", [len(calls[part::PARTS]) / (time.perf_counter() - started)])
        round.rate("exact", sum(exact for exact, _ in booked), len(booked))
        round.trend("record_ms", [ms for _, ms in booked])
        expected_total = sum((call[3] for call in calls), Decimal(0))
        round.check("sums", scenario.config.charged(costs.total) == expected_total)
        by_tenant = {row["tenant"]: row["cost"] for row in costs.summary(by=("tenant",))}
        for tenant in sorted({call[0] for call in calls}):
            round.check("sums", by_tenant[tenant] == sum((c[3] for c in calls if c[0] == tenant), Decimal(0)))
        round.count("missing", len(calls) - len(costs.records()))


@pytest.mark.scenario("budget_exhaustion", suite="comprehensive", title="Budget exhaustion", seconds=5.0)
def test_budget_exhaustion(scenario: Scenario) -> None:
    """Eight threads spend what is left: the ledger never goes over, what does not fit is refused, little stays unused."""
    usage = headrace.Usage(input_tokens=1000, output_tokens=500)
    for round in scenario.rounds():
        costs = scenario.config.costs()
        limit = costs.quote("openai/gpt-4o", usage).cost * 100
        costs.set_budget(limit, tenant="esg", period="ever")
        spent: list[tuple[float, float]] = []
        over: list[bool] = []
        started = time.perf_counter()

        def call(
            n: int,
            costs: headrace.CostTracker = costs,
            limit: Decimal = limit,
            spent: list[tuple[float, float]] = spent,
            over: list[bool] = over,
            started: float = started,
        ) -> bool:
            try:
                held = costs.reserve("openai/gpt-4o", usage, tenant="esg")
            except headrace.BudgetExceeded:
                return False
            # Most answers are shorter than the worst case that was set aside.
            held.settle(headrace.Usage(input_tokens=1000, output_tokens=100 + n % 400))
            # One look at a time, so that times and totals are in the same order.
            with looking:
                total = costs.total
                over.append(total > limit)
                spent.append((time.perf_counter() - started, float(total / limit * 100)))
            return True

        with ThreadPoolExecutor(8) as pool:
            went = list(pool.map(call, range(400)))
        round.count("over_budget", sum(over) + (costs.total > limit))
        round.check("refuses", went.count(False) > 0 and not call(499))
        round.trend("used", [float(costs.total / limit)])
        if round.index == 0:
            round.series("spend, as a share of the budget", spent, "seconds, percent")
