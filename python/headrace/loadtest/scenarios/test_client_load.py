"""The client under load: patterns of users, many at once, a schedule of faults, a provider that fails."""

from __future__ import annotations

import pytest

import headrace
from headrace import providers
from headrace.loadgen import Target, closed_loop
from headrace.loadtest.runs import PYTHON_LAG, ask
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.work import AskedQuestions, ask_all, at_least, count_mixed_up, errors, late, record_overhead
from headrace.workload import ESG, Request

OWN_MS = 20.0
# A server of one's own is not asked more than it may be made for.
BOTH, LARGE = ("comprehensive", "target"), ("comprehensive",)
SUITES = {"light": BOTH, "medium": BOTH, "heavy": LARGE, "burst": LARGE}
PATTERNS = {"light": (10, 5), "medium": (50, 10), "heavy": (100, 15), "burst": (200, 5)}


@pytest.mark.parametrize(
    ("users", "per_user"),
    [
        pytest.param(
            users,
            per_user,
            id=name,
            marks=pytest.mark.scenario(
                f"load_{name}", suite=SUITES[name], title=f"Load: {name}, {users} users x {per_user}", seconds=5.0
            ),
        )
        for name, (users, per_user) in PATTERNS.items()
    ],
)
def test_load_pattern(scenario: Scenario, users: int, per_user: int) -> None:
    """Users who ask, wait for the answer, and ask again."""
    targets = scenario.config
    own = None if targets.live or targets.url else OWN_MS
    for round in scenario.rounds(least=2):
        client = targets.client(time_to_first_token=OWN_MS / 1000, tokens_per_second=0)
        requests = ESG(seed=scenario.seed + round.index).take(users * per_user)
        round.run(ask(targets, client, scenario, requests, users, per_user), latency="overhead_ms", own_ms=own)
        client.close()


@pytest.mark.scenario("concurrent_load", suite="comprehensive", title="Concurrent requests", seconds=6.0)
def test_concurrent_load(scenario: Scenario) -> None:
    """50 at once: each gets the answer to its own question, and soon."""
    targets = scenario.config
    for round in scenario.rounds(least=6):
        questions = AskedQuestions(ESG(seed=scenario.seed + round.index).take(200))
        client = targets.client(time_to_first_token=0.05, tokens_per_second=0)
        with at_least(0.05, 50) as least:
            answers = ask_all(
                client, targets.model, questions, workers=50, before=targets.starve, cache=False, left=scenario.left
            )
        own = None if targets.live or targets.url else least.result()
        if late(answers):
            round.void(late(answers))
        round.rate("success", sum(answer.error is None for answer in answers), len(answers))
        round.errors(errors(answers))
        count_mixed_up(round, questions, answers)
        record_overhead(round, answers, own)


@pytest.mark.scenario("fault_schedule", suite="comprehensive", title="Error resilience under faults", seconds=8.0)
def test_fault_schedule(scenario: Scenario) -> None:
    """A provider with bursts of rate limits, errors and resets: answered all the same, booked once, well again after."""
    bursts = [("rate_limit", 20, 24), ("server_error", 60, 63), ("reset", 100, 103), ("malformed", 140, 142)]
    for round in scenario.rounds(least=2):
        with scenario.config.server(retry_after=0.01, time_to_first_token=0.002, tokens_per_second=0) as server:
            client = scenario.config.client_of(
                [providers.OpenAICompatible(server.url, name="simulated")], max_attempts=5
            )
            server.set_faults({"schedule": [{"fault": f, "from": a, "until": b} for f, a, b in bursts]})
            questions = AskedQuestions(ESG(seed=scenario.seed + round.index).take(180))
            answers = ask_all(client, "simulated/esg", questions, workers=4, cache=False)
            good = [answer for answer in answers if answer.error is None]
            round.rate("success", len(good), len(answers))
            attempts = len(answers) + sum(until - begin for _, begin, until in bursts)
            round.check("faults_came", server.requests > len(answers))
            round.count("needless_attempts", max(0, server.requests - attempts))
            # What failed cost nothing, and what was tried again is booked once.
            round.count("misbooked", abs(len(client.costs.records()) - len(good)))
            round.trend("answer_ms", [answer.ms for answer in good])
            round.series("answer", [(answer.at, answer.ms) for answer in good])
            server.set_faults({})
            after = ask_all(client, "simulated/esg", AskedQuestions(questions.requests[:40]), workers=4, cache=False)
            round.rate("well_again", sum(answer.error is None for answer in after), len(after))


@pytest.mark.scenario("failover", suite="comprehensive", title="Failover", seconds=6.0)
def test_failover(scenario: Scenario) -> None:
    """A provider that always fails, and one in reserve: who answers, and how much later."""
    for round in scenario.rounds(least=2):
        with (
            scenario.config.server(time_to_first_token=0.002, tokens_per_second=0) as broken,
            scenario.config.server(time_to_first_token=0.002, tokens_per_second=0) as spare,
        ):
            broken.set_faults({"rates": {"unavailable": 1.0}})
            client = headrace.Client(
                [
                    providers.OpenAICompatible(broken.url, name="simulated"),
                    providers.OpenAICompatible(spare.url, name="spare"),
                ],
                fallbacks={"simulated/esg": ["spare/esg"]},
                max_attempts=1,
            )
            spare_answered: list[bool] = []

            def one(
                request: Request, client: headrace.Client = client, told: list[bool] = spare_answered
            ) -> headrace.client.Response:
                got = client.chat("simulated/esg", request.messages, cache=False, timeout=10)
                told.append(got.provider == "spare")
                return got

            target = Target.python(one, workers=scenario.config.workers(8))
            requests = ESG(seed=scenario.seed + round.index).take(160)
            run = closed_loop(target, requests, users=8, per_user=20, length=scenario.seconds, max_lag=PYTHON_LAG)
            round.run(run, latency="answer_ms")
            round.rate("from_spare", sum(spare_answered), len(spare_answered))
