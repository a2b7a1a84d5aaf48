"""A user's file that touches the load generator and the load suite. It is checked by mypy and pyright, and never run."""

import numpy as np
import pytest
from headrace.loadgen import (
    Arrivals,
    Estimate,
    ProcessSampler,
    Run,
    Target,
    batch_means,
    block_bootstrap,
    clopper_pearson,
    closed_loop,
    least_trials,
    least_values,
    machine_noise,
    mean_interval,
    mser5,
    open_loop,
    quantile_interval,
    quantile_lower_bound,
    quantile_upper_bound,
    rate_lower_bound,
    rate_upper_bound,
    t_quantile,
    theil_sen,
    traces,
    wilson,
)
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.target import TargetServer
from headrace.workload import ESG, Request
from typing_extensions import assert_type


@pytest.mark.scenario("mine", seconds=20, criteria={"answer_ms": "p(95) < 5s", "success": "rate > 0.95"})
def test_mine(scenario: Scenario) -> None:
    target: TargetServer = scenario.target
    for round in scenario.rounds(least=2, most=100):
        round.run(closed_loop(target.generator(stream=True), ESG(seed=round.index), users=8), latency="answer_ms")
        round.trend("own_ms", [1.0])
        round.rate("right", 9, 10)
        round.check("alive", bool(target.ask("Are you there?", timeout=5).text))
        round.count("wrong", 0)
        round.series("over time", [(0.0, 1.0)])
        round.errors({"http_500": 1})
        round.note("said in the report")
        round.untested("usage", "the server tells none")
        round.void("the machine was busy")
    print(target.url, target.model, target.api_key, target.client.models, scenario.left())


def generate() -> None:
    requests = [Request("scope 1?", tenant="audit", priority="high"), *ESG(seed=1).take(10)]
    run = open_loop(Target.null(), requests, Arrivals.poisson(100), limit=100)
    assert_type(run, Run)
    print(run.summary(), run.samples()["latency"], len(run), run.void, traces(), machine_noise(0.1))
    with ProcessSampler() as sampler:
        print(sampler.samples())
    values = np.arange(100.0)
    estimate: Estimate = mean_interval(values)
    print(estimate.low, estimate.high, clopper_pearson(9, 10), wilson(9, 10), quantile_interval(values, 0.95))
    print(quantile_lower_bound(values, 0.5), quantile_upper_bound(values, 0.5), rate_lower_bound(9, 10))
    print(rate_upper_bound(9, 10), least_trials(0.9), least_values(0.95), t_quantile(0.95, 9), mser5(values))
    print(theil_sen(values, values), batch_means(values), block_bootstrap(values, "mean"))
