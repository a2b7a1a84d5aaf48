"""A server at a URL with its own faults: which there are, and whether a client that tries again gets past them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest

import headrace
from headrace.loadgen import Target, closed_loop
from headrace.loadtest.round import Round
from headrace.loadtest.runs import latencies_ms
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.targets import target_key
from headrace.loadtest.work import AskedQuestions, ask_all, errors
from headrace.workload import ESG, Request

USERS = 8
# Longer than any answer should take to go on, shorter than a scenario.
PATIENCE = 5.0


@pytest.mark.scenario("target_faults", suite=("comprehensive", "target"), title="The target's own faults", seconds=10.0)
def test_target_faults(scenario: Scenario) -> None:
    """First asked without mercy, then by a client that tries again: plain, and streamed."""
    targets = scenario.config
    if not targets.url:
        pytest.skip("the simulated provider has no faults of its own: fault_schedule orders them")
    for round in scenario.rounds(least=2):
        requests = ESG(seed=scenario.seed + round.index).take(240)
        _without_mercy(round, targets.address(), targets.model.split("/", 1)[1], requests[:80])
        client = headrace.Client([targets.provider(read_timeout=PATIENCE)], costs=targets.costs(), max_attempts=6)
        answers = ask_all(
            client, targets.model, AskedQuestions(requests[80:160]), workers=USERS, cache=False, left=scenario.left
        )
        good = [answer for answer in answers if answer.error is None]
        round.errors(errors(answers))
        round.rate("success", len(good), len(answers))
        round.trend("answer_ms", [answer.ms for answer in good])
        # What failed cost nothing, and what was tried again is booked once.
        round.count("misbooked", abs(len(client.costs.records()) - len(good)))
        round.check("sums", client.costs.total == sum((answer.cost for answer in good), Decimal(0)))
        with ThreadPoolExecutor(USERS) as pool:
            streams = list(pool.map(partial(_stream, client, targets.model), requests[160:]))
        round.errors(Counter(f"stream {ended}" for ended in streams if ended))
        round.count("half_answers", streams.count("half"))


def _without_mercy(round: Round, url: str, model: str, requests: list[Request]) -> None:
    target = Target.http(url, model=model, api_key=target_key(), timeout=PATIENCE)
    run = closed_loop(target, requests, users=USERS, per_user=len(requests) // USERS, timeout=PATIENCE, max_lag=0.05)
    if run.void:
        round.void(run.void)
    succeeded = len(latencies_ms(run))
    round.rate("first_try", succeeded, len(run))
    round.errors(run.summary()["errors"])


def _stream(client: headrace.Client, model: str, request: Request) -> str:
    """How a stream ended: empty where whole, the error's name, or `half` where it broke off and nothing said so."""
    try:
        stream = client.stream(model, request.messages, timeout=PATIENCE, cache=False)
        text = "".join(chunk.text for chunk in stream)
    except headrace.HeadraceError as error:
        return type(error).__name__
    whole = stream.response
    return "" if text and whole is not None and text == whole.text else "half"
