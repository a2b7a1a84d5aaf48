"""Two processes of `headrace serve` on one Redis: a budget and the cache hold across both."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import headrace
import pytest
from raw_server import RawServer, told
from redis_server import redis_server
from test_endpoint_serve import Serving, question

PATIENT = 60
LIMIT = Decimal("0.02")

CONFIG = """
[[providers]]
name = "local"
base_url = "{provider}"
[cache]
url = "{redis}"
[queue]
url = "{redis}"
[costs]
url = "{redis}"
[[budgets]]
limit = "{limit}"
"""


@pytest.fixture
def replicas(tmp_path):
    with redis_server(tmp_path) as url, RawServer(told()) as provider:
        config = tmp_path / "headrace.toml"
        config.write_text(CONFIG.format(provider=provider.url, redis=url, limit=LIMIT))
        with Serving("--config", str(config)) as one, Serving("--config", str(config)) as other:
            yield (one, other), provider, url


def test_a_budget_holds_across_both(replicas):
    both, provider, url = replicas
    ask = {"max_tokens": 5}

    def spend(n):
        for answered in range(200):
            status, reply = both[n % 2].ask(body=question(f"{n}: question {answered}", "local/m") | ask)
            if status == 402:
                return answered
            assert status == 200, reply
        raise AssertionError("the budget never ended")

    with ThreadPoolExecutor(4) as threads:
        answered = sum(threads.map(spend, range(4)))
    costs = headrace.CostTracker(url=url)
    records = list(costs.records())
    assert len(records) == answered == provider.count
    spent = sum(record.cost for record in records)
    # What is left is too little for the dearest that a further call could be.
    assert spent == costs.total and LIMIT - Decimal("0.001") < spent <= LIMIT
    [budget] = costs.budgets()
    assert (budget["spent"], budget["reserved"]) == (spent, 0)


def test_an_answer_is_served_by_both_until_it_is_dropped(replicas):
    (one, other), provider, url = replicas
    ask = {"max_tokens": 5}
    assert one.ask(body=question("Which scope is travel?", "local/m") | ask)[0] == 200
    until = time.monotonic() + PATIENT
    while len(headrace.SemanticCache(url=url)) == 0:
        assert time.monotonic() < until
    # The other has heard of it when it serves it: another question tells how often the provider was asked.
    for serving in (one, other):
        while True:
            before = provider.count
            status, _ = serving.ask(body=question("Which scope is travel?", "local/m") | ask)
            assert status == 200 and time.monotonic() < until
            if provider.count == before:
                break
    headrace.SemanticCache(url=url).clear()
    for serving in (one, other):
        while True:
            before = provider.count
            assert serving.ask(body=question("Which scope is travel?", "local/m") | ask)[0] == 200
            if provider.count > before:
                break
            assert time.monotonic() < until
            headrace.SemanticCache(url=url).clear()
