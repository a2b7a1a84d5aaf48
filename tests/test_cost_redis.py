"""A ledger on a real redis-server, through Python: the same calls, shared by processes and their forks."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal

import headrace
import pytest
from headrace import CostTracker, SemanticCache, Usage
from redis_server import redis_server

PATIENT = 60
MODEL = "deepseek/deepseek-v3"
USAGE = Usage(input_tokens=1000, output_tokens=500)


@pytest.fixture
def url(tmp_path):
    with redis_server(tmp_path) as url:
        yield url


def test_what_one_tracker_books_the_others_see(url, tmp_path):
    one, other = CostTracker(url=url), CostTracker(url=url)
    one.set_budget("1", tenant="acme", period="day")
    with other.reserve(MODEL, USAGE, tenant="acme", tags=["project=csrd"]) as held:
        [budget] = one.budgets()
        assert (budget["spent"], budget["reserved"]) == (0, held.reserved)
        record = held.settle(USAGE)
    [budget] = one.budgets()
    assert (budget["spent"], budget["reserved"]) == (record.cost, 0)
    [found] = one.records()
    assert (found.id, found.cost, found.tags, found.usage) == ("1", record.cost, ["project=csrd"], USAGE)
    assert one.total == record.cost
    [row] = one.summary(by=("tenant", "model"))
    assert (row["tenant"], row["calls"], row["cost"]) == ("acme", 1, record.cost)
    assert one.drain(tmp_path / "archive.db") == 1 and list(other.records()) == []
    assert CostTracker(url=f"sqlite:///{tmp_path / 'archive.db'}").total == record.cost
    assert one.budgets()[0]["spent"] == record.cost, "the budget knows what it knew"
    with pytest.raises(headrace.ConfigError, match="only a ledger in Redis is drained"):
        CostTracker().drain(tmp_path / "other.db")


def test_the_twins(url, tmp_path):
    async def main():
        costs = CostTracker(url=url)
        await costs.aset_budget(Decimal("0.0015"), period="day")
        async with costs.areserve(MODEL, USAGE) as held:
            record = await held.asettle(USAGE)
        assert [found.cost for found in await costs.arecords()] == [record.cost]
        assert (await costs.abudgets())[0]["spent"] == record.cost
        await costs.aset_budget(record.cost, period="day")
        with pytest.raises(headrace.BudgetExceeded):
            async with costs.areserve(MODEL, USAGE):
                pass
        assert await costs.adrain(tmp_path / "archive.db") == 1

    asyncio.run(main())


SPEND = """
import sys, headrace
costs = headrace.CostTracker(url=sys.argv[1])
usage = headrace.Usage(input_tokens=1000, output_tokens=500)
costs.set_budget("0.02", period="day")
calls = 0
while True:
    try:
        with costs.reserve("deepseek/deepseek-v3", usage) as held:
            held.settle(usage)
            calls += 1
    except headrace.BudgetExceeded:
        if costs.budgets()[0]["reserved"] == 0:
            break
print(calls)
"""


def test_four_processes_spend_one_budget_and_no_more(url):
    spend = [sys.executable, "-c", SPEND, url]
    processes = [subprocess.Popen(spend, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    calls = sum(int(process.communicate(timeout=2 * PATIENT)[0]) for process in processes)
    costs = CostTracker(url=url)
    one = costs.quote(MODEL, USAGE).cost
    assert calls == int(Decimal("0.02") / one) and costs.total == one * calls
    assert [record.id for record in costs.records()] == [str(n + 1) for n in range(calls)]


def test_a_forked_child_has_connections_of_its_own(url):
    costs, cache = CostTracker(url=url), SemanticCache(url=url)
    costs.record(MODEL, USAGE)
    assert costs.summary()[0]["calls"] == 1
    cache.put("Which scope is travel?", "3")
    child = os.fork()
    if child == 0:
        try:
            costs.record(MODEL, USAGE)
            assert costs.summary()[0]["calls"] == 2
            assert cache.get("Which scope is travel?").response == "3"
            cache.put("Which scope is heat?", "2")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert costs.summary()[0]["calls"] == 2
    while cache.get("Which scope is heat?") is None:
        pass


def test_an_address_without_a_server_is_an_error_without_its_secret(tmp_path):
    with redis_server(tmp_path) as gone:
        pass
    for scheme in ["redis", "redis+cluster", "redis+sentinel", "upstash"]:
        url = gone.replace("redis://", f"{scheme}://user:hush@")
        for made in (CostTracker, SemanticCache):
            with pytest.raises(headrace.StoreError) as raised:
                made(url=url)
            assert "hush" not in str(raised.value)


def test_the_command_drains(url, tmp_path):
    CostTracker(url=url).record(MODEL, USAGE)
    command = [sys.executable, "-m", "headrace", "cost"]
    for words, told in [
        (["summary", url], "deepseek"),
        (["drain", url, str(tmp_path / "archive.db")], "1 records moved"),
        (["records", str(tmp_path / "archive.db")], "deepseek"),
    ]:
        run = subprocess.run([*command, *words], capture_output=True, text=True, timeout=PATIENT)
        assert run.returncode == 0 and told in run.stdout, run.stderr
