"""What the verdict rests on, where it would be easy to fool oneself: many looks, dependent values, too few of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from headrace.loadtest import intervals
from headrace.loadtest.criteria import from_fields
from headrace.loadtest.decide import confidence_of_look, decide
from headrace.loadtest.expression import parse
from headrace.loadtest.metric import Trend
from headrace.loadtest.scenario import Scenario


def outcomes(expression, feed, runs, rounds):
    found = Counter()
    for _ in range(runs):
        scenario = Scenario("s", "s", [from_fields("s", "m", {"pass": expression})], seconds=1e9)
        for measured in scenario.rounds(most=rounds):
            feed(measured)
        found[scenario.judge()[0].decision.outcome] += 1
    return found


# The truth lies at the bound itself, so each "met" is a mistake: at most one in twenty, however often it is looked at.
def test_looking_often_does_not_find_a_rate_that_is_not_there():
    rng = np.random.default_rng(1)
    found = outcomes("rate > 0.90", lambda r: r.rate("m", int(rng.binomial(20, 0.9)), 20), 600, 40)
    assert found["met"] / 600 <= 0.05


def test_looking_often_does_not_find_a_percentile_that_is_not_there():
    rng = np.random.default_rng(2)
    found = outcomes(f"p(95) < {-np.log(0.05)}", lambda r: r.trend("m", rng.exponential(size=80)), 300, 20)
    assert found["met"] / 300 <= 0.05


def test_looking_often_does_not_find_a_mean_that_is_not_there():
    rng = np.random.default_rng(3)
    found = outcomes("avg < 1", lambda r: r.trend("m", rng.exponential(size=100)), 300, 20)
    assert found["met"] / 300 <= 0.05


def test_what_is_there_is_found():
    rng = np.random.default_rng(4)
    assert outcomes("rate > 0.90", lambda r: r.rate("m", int(rng.binomial(50, 0.99)), 50), 50, 40)["met"] == 50
    assert outcomes("p(95) < 4", lambda r: r.trend("m", rng.exponential(size=100)), 50, 40)["met"] >= 49
    assert outcomes("p(95) < 2", lambda r: r.trend("m", rng.exponential(size=100)), 50, 40)["failed"] >= 49


def test_all_looks_share_the_doubt():
    assert sum(1 - confidence_of_look(look) for look in range(1, 100_000)) < 0.05


def test_what_was_decided_stays_so_while_another_criterion_is_undecided():
    criteria = [from_fields("s", "fast", {"pass": "rate > 0.90"}), from_fields("s", "slow", {"pass": "rate > 0.90"})]
    scenario = Scenario("s", "s", criteria, seconds=1e9)
    for measured in scenario.rounds(most=9):
        measured.rate("fast", 34 if measured.index == 0 else 0, 34 if measured.index == 0 else 0)
        measured.rate("slow", 4, 4)
    assert [result.decision.outcome for result in scenario.judge()] == ["met", "undecided"]


def lindley(rng, n, load):
    """Waits in a queue with one server, from its settled state on (Lindley 1952)."""
    wait = rng.exponential(1 / (1 - load)) if rng.random() < load else 0.0
    waits = np.empty(n)
    for k in range(n):
        waits[k] = wait
        wait = max(0.0, wait + rng.exponential() - rng.exponential(1 / load))
    return waits


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_waits_of_a_busy_queue_are_bounded_as_often_as_promised(q):
    rng = np.random.default_rng(5)
    truth = -np.log((1 - q) / 0.7) / 0.3
    runs = [intervals.quantile(lindley(rng, 1500, 0.7), q, 0.95, truth) for _ in range(120)]
    # 95 % is promised; three deviations of 120 runs are 6 %.
    assert np.mean([high >= truth for _, _, high in runs]) >= 0.89
    assert np.mean([low <= truth for _, low, _ in runs]) >= 0.89


def test_a_mean_with_a_long_tail_is_bounded_on_its_side():
    rng = np.random.default_rng(6)
    assert np.mean([intervals.mean(rng.exponential(size=50), 0.95)[2] >= 1 for _ in range(2000)]) >= 0.94


@pytest.mark.parametrize("values", [[0.0] * 100, [1.0, 2.0], list(range(100)), [5.0] * 99 + [6.0]])
def test_the_estimate_lies_inside_its_interval(values):
    for q in (0.5, 0.95, 0.99):
        value, low, high = intervals.quantile(np.asarray(values, dtype=float), q, 0.95, 3.0)
        assert low <= value <= high


def test_values_that_climb_are_worth_few():
    climbing = Trend()
    climbing.add(np.linspace(1, 2, 1000))
    assert decide(parse("p(50) < 1.7"), climbing).outcome == "undecided"
    assert decide(parse("p(95) < 5"), climbing).outcome == "met"


def test_figures_of_a_round_each_are_replications():
    """Six of six below the limit bound a median; how six values correlate cannot be estimated, and is not."""
    alone, together = Trend(), Trend()
    values = [0.9, 0.95, 0.97, 1.1, 1.2, 1.3]
    for value in values:
        alone.add([value])
    together.add(values)
    assert decide(parse("med < 2"), alone).outcome == "met"
    assert decide(parse("med < 2"), together).outcome == "undecided"
