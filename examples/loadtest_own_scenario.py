"""Load scenarios of your own: `pytest examples/loadtest_own_scenario.py --headrace-report report`.

The mark names the scenario and what must hold; rounds go on until that is decided, or the seconds are over. With
`--headrace-target http://127.0.0.1:8080/v1` they ask a server of yours, else a simulated one.
"""

import time

import pytest
from headrace.loadgen import closed_loop
from headrace.loadtest.scenario import Scenario
from headrace.workload import ESG


@pytest.mark.scenario(
    "eight_analysts",
    title="Eight analysts at once",
    seconds=20,
    criteria={"answer_ms": "p(95) < 5s", "success": "rate > 0.95"},
)
def test_eight_analysts(scenario: Scenario) -> None:
    for measured in scenario.rounds():
        run = closed_loop(scenario.target.generator(), ESG(seed=measured.index), users=8, per_user=10)
        measured.run(run, latency="answer_ms")


@pytest.mark.scenario(
    "second_answer",
    title="Asking twice",
    seconds=10,
    criteria={"again_ms": "p(95) < 500ms", "from_cache": "rate > 0.95"},
)
def test_second_answer(scenario: Scenario) -> None:
    for measured in scenario.rounds():
        for request in ESG(seed=measured.index).take(30):
            scenario.target.ask(request, cache=True)
            started = time.perf_counter()
            again = scenario.target.ask(request, cache=True)
            measured.trend("again_ms", [(time.perf_counter() - started) * 1000])
            measured.check("from_cache", again.cache is not None)
