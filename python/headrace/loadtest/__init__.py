"""The load suite: scenarios, criteria, and a verdict with its evidence.

Data flows one way: a scenario (a pytest test) sends a workload and records samples round by round; criteria (a TOML
file) are decided from the samples by confidence intervals; the verdict and the reports are made of the results.

    headrace loadtest focused --report report
    pytest --pyargs headrace.loadtest --suite focused

A scenario of your own takes the same fixture and mark:

    @pytest.mark.scenario("my_scenario", criteria={"answer_ms": "p(95) < 800ms"})
    def test_my_scenario(scenario):
        for round in scenario.rounds():
            round.trend("answer_ms", [...])
"""

from __future__ import annotations
