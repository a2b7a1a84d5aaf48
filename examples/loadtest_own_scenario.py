"""A load scenario of your own: `pytest examples/loadtest_own_scenario.py --headrace-report report`.

The mark names the scenario and what must hold; rounds go on until that is decided, or 10 seconds are over.
"""

import time

import headrace
import pytest
from headrace.workload import ESG


@pytest.mark.scenario(
    "second_answer",
    title="Asking twice",
    seconds=10,
    criteria={"again_ms": "p(95) < 50ms", "from_cache": "rate > 0.95"},
)
def test_second_answer(scenario):
    client = headrace.Client([headrace.providers.Simulated()])
    for measured in scenario.rounds():
        for request in ESG(seed=measured.index).take(30):
            client.chat("simulated/esg", request.prompt)
            started = time.perf_counter()
            again = client.chat("simulated/esg", request.prompt)
            measured.trend("again_ms", [(time.perf_counter() - started) * 1000])
            measured.check("from_cache", again.cache is not None)
