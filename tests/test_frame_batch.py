"""A map by the batch APIs of OpenAI and Anthropic: handed in once, left, taken up, booked at the price for that."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import headrace
import pandas
import pytest
from batch_server import EXPIRED, USAGE, BatchServer, Refused, cut
from headrace.client import _call as call_of
from raw_server import RawServer, client_of, error, eventually, http

MODELS = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]
OPENAI, ANTHROPIC = MODELS
KEY = "sk-verysecretkey"
both = pytest.mark.parametrize("model", MODELS)

# A process of its own, which is left in the middle.
CELL = """
import sys, headrace
sys.path.insert(0, sys.argv[4])
from test_frame_batch import asked
url, run, model = sys.argv[1], sys.argv[2], sys.argv[3]
print("ready", flush=True)
asked(url, model, [f"row {n}" for n in range(20)], run)
"""


def client_at(url, **settings):
    providers = headrace.providers
    known = [providers.OpenAI(KEY, base_url=url), providers.Anthropic(KEY, base_url=url)]
    return headrace.Client(known, **settings)


def asked(url, model, rows, run, client=None, **more):
    client = client_at(url) if client is None else client
    settings = {"max_tokens": USAGE[1], "progress": False} | more
    return headrace.map(rows, "{}", model=model, client=client, run=run, mode="batch", **settings)


def price(model, tier="batch"):
    usage = headrace.Usage(*USAGE, service_tier=tier)
    return headrace.CostTracker().quote(model, usage).cost


def worst(model, text):
    """What the budget sets aside for a row."""
    call, _ = call_of(model, text, "normal", "default", (), None, True, {"max_tokens": USAGE[1]})
    return client_at("http://127.0.0.1:9/v1")._batches(model).add("row", call, True)


def texts(out):
    return [one.text if isinstance(one, headrace.Response) else type(one).__name__ for one in out]


@both
def test_rows_are_answered_in_order_once_at_half_the_price(tmp_path, model):
    frame = pandas.DataFrame({"text": ["a", "b", "a", "c"]})
    with BatchServer() as server:
        client = client_at(server.url)
        call = {"model": model, "client": client, "run": tmp_path / "q.db", "mode": "batch", "max_tokens": 5}
        out = headrace.map(frame, "{text}", **call)
        assert list(out["answer"]) == ["re: a", "re: b", "re: a", "re: c"]
        assert list(out["_cost"]) == [price(model), price(model), 0, price(model)]
        assert price(model) * 2 == price(model, None)
        assert server.made == [["a", "b", "c"]]
        assert client.costs.total == price(model) * 3
        assert {record.usage.service_tier for record in client.costs.records()} == {"batch"}
        [batch] = server.batches.values()
        shown = batch.headers["authorization" if model == OPENAI else "x-api-key"]
        assert KEY in shown
        count = server.count
        assert headrace.map(frame, "{text}", **call).equals(out)
        assert server.count == count


@both
def test_what_failed_is_told_row_by_row_and_handed_in_again(tmp_path, model):
    run, fates = tmp_path / "q.db", {"b": EXPIRED, "c": Refused(), "d": None}
    with BatchServer(lambda words: fates.get(words, words)) as server:
        server.status = "expired"
        out = asked(server.url, model, list("abcde"), run)
        assert texts(out) == ["a", "ProviderUnavailable", "ProviderError", "RequestFailed", "e"]
        assert "submitted anew" in str(out[1])
        assert "no such thing" in str(out[2])
        assert "has no result for this row" in str(out[3])
        fates.clear()
        assert texts(asked(server.url, model, list("abcde"), run)) == list("abcde")
        assert server.made == [list("abcde"), list("bcd")]


def test_a_batch_that_is_refused_as_a_whole_says_why(tmp_path):
    with BatchServer() as server:
        server.fault = f"line 1 has no model, key {KEY}"
        out = asked(server.url, OPENAI, ["a", "b"], tmp_path / "q.db")
        assert texts(out) == ["RequestFailed"] * 2
        assert "line 1 has no model" in str(out[0])
        assert KEY not in str(out[0])
        server.fault = ""
        assert texts(asked(server.url, OPENAI, ["a", "b"], tmp_path / "q.db")) == ["re: a", "re: b"]


def cell(server, run, model):
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", CELL, server.url, str(run), model, here],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@both
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_left_between_handing_in_and_fetching(tmp_path, model, how):
    """The next process goes on with the same batch: nothing is asked or paid twice."""
    run, rows = tmp_path / "q.db", [f"row {n}" for n in range(20)]
    with BatchServer() as server:
        server.may_end.clear()
        process = cell(server, run, model)
        # It looks once more: the id is in the file.
        eventually(lambda: server.asked("GET /v1/batches/") + server.asked("GET /v1/messages/batches/") >= 1)
        process.send_signal(getattr(signal, how))
        _, told = process.communicate(timeout=60)
        assert how == "SIGKILL" or "KeyboardInterrupt" in told
        with pytest.raises(headrace.ConfigError, match="mode='batch' until they are done"):
            headrace.map(rows, "{}", model=model, client=client_at(server.url), run=run, max_tokens=USAGE[1])
        with pytest.raises(headrace.Timeout, match="call again with run="):
            asked(server.url, model, rows, run, timeout=0)
        server.may_end.set()
        client = client_at(server.url)
        # A row that came meanwhile is a batch of its own.
        out = asked(server.url, model, [*rows, "new"], run, client=client)
        assert texts(out) == [f"re: {row}" for row in [*rows, "new"]]
        assert server.made == [rows, ["new"]]
        assert client.costs.total == sum(one.cost for one in out) == price(model) * 21


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@both
def test_killed_before_the_id_came_back(tmp_path, model):
    """OpenAI's batch is found by the mark that it bears; Anthropic's bear none, so that it counts as paid."""
    run, rows = tmp_path / "q.db", [f"row {n}" for n in range(20)]
    with BatchServer() as server:
        server.may_reply.clear()
        process = cell(server, run, model)
        eventually(lambda: server.batches)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server.may_reply.set()
        most = sum(worst(model, row) for row in rows)
        out = asked(server.url, model, rows, run, budget=most)
        if model == OPENAI:
            assert texts(out) == [f"re: {row}" for row in rows]
            assert server.made == [rows]
        else:
            assert texts(out) == ["BudgetExceeded"] * 20
            assert texts(asked(server.url, model, rows, run, budget=most * 2)) == [f"re: {row}" for row in rows]
            assert server.made == [rows, rows]


@both
def test_a_budget_is_held_at_the_worst_before_anything_is_handed_in(tmp_path, model):
    run, rows = tmp_path / "q.db", [f"row {n}" for n in range(10, 30)]
    costs = headrace.CostTracker()
    each = worst(model, rows[0])
    costs.set_budget(each * 8)
    with BatchServer() as server:
        server.may_end.clear()
        client = client_at(server.url, costs=costs)
        with pytest.raises(headrace.Timeout):
            asked(server.url, model, rows, run, client=client, budget=each * 7, timeout=0)
        assert server.made == [rows[:7]]
        server.may_end.set()
        out = asked(server.url, model, rows, run, client=client, budget=each * 7)
        # The answers were cheaper than their worst: the money that is left is not for another batch of this call.
        assert texts(out) == [f"re: {row}" for row in rows[:7]] + ["BudgetExceeded"] * 13
        assert server.made == [rows[:7]]
        # The client's own budget bounds the next part, the run's does not any more.
        left = (each * 8 - price(model) * 7) // each
        out = asked(server.url, model, rows, run, client=client, budget="1.00")
        assert len(server.made[1]) == left
        assert texts(out).count("BudgetExceeded") == 13 - left
        assert costs.total <= each * 8


def test_what_is_under_way_is_held(tmp_path):
    each = worst(OPENAI, "a")
    costs = headrace.CostTracker()
    costs.set_budget(each * 3)
    with BatchServer() as server:
        server.may_end.clear()
        client = client_at(server.url, costs=costs)

        async def main():
            call = {"model": OPENAI, "client": client, "run": tmp_path / "q.db", "mode": "batch", "max_tokens": 5}
            task = asyncio.create_task(headrace.amap(["a", "b"], "{}", **call))
            await asyncio.to_thread(eventually, lambda: server.asked("GET /v1/batches/") >= 1)
            with pytest.raises(headrace.BudgetExceeded):
                costs.reserve(OPENAI, headrace.Usage(1000, 100))
            server.may_end.set()
            out = await task
            costs.reserve(OPENAI, headrace.Usage(1, 1)).release()
            return out

        assert texts(asyncio.run(main())) == ["re: a", "re: b"]


@both
def test_awaited_it_is_the_same_and_can_be_cancelled(tmp_path, model):
    with BatchServer() as server:
        server.may_end.clear()
        call = {"model": model, "client": client_at(server.url), "run": tmp_path / "q.db", "mode": "batch"}

        async def main():
            task = asyncio.create_task(headrace.amap(["a", "b", "a"], "{}", **call))
            await asyncio.to_thread(eventually, lambda: server.asked("GET ") >= 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.may_end.set()
            return await headrace.amap(["a", "b", "a"], "{}", **call)

        assert texts(asyncio.run(main())) == ["re: a", "re: b", "re: a"]
        assert server.made == [["a", "b"]]


def test_what_cannot_be_is_refused_before_anything_is_sent(tmp_path):
    run = tmp_path / "q.db"
    with RawServer(http(200, {})) as server:
        for client, model, more, message in [
            (client_of(server), OPENAI, {}, "openai has no batch API that is known here"),
            (client_of(server), OPENAI, {"dry_run": True}, "has no batch API"),
            (headrace.Client(headrace.providers.Simulated()), "simulated/echo", {}, "simulated has no batch API"),
            (client_at(server.url), OPENAI, {"run": None}, "needs run="),
            (client_at(server.url), OPENAI, {"timeout": -1}, "timeout is -1"),
            (client_at(server.url, routes={"report": {"models": MODELS}}), "report", {}, "is a route"),
        ]:
            with pytest.raises(headrace.ConfigError, match=message):
                asked(server.url, model, ["a"], **({"run": run, "client": client} | more))
        with pytest.raises(headrace.UnknownModel):
            asked(server.url, "nobody/model", ["a"], run)
        assert server.count == 0


def test_a_dry_run_tells_the_price_of_batches(tmp_path):
    with BatchServer() as server:
        call = {"model": OPENAI, "client": client_at(server.url), "max_tokens": 5, "dry_run": True}
        now = headrace.map(["a", "b", "a"], "{}", **call)
        later = headrace.map(["a", "b", "a"], "{}", mode="batch", run=tmp_path / "q.db", **call)
        assert (later.distinct, later.cost_high * 2, later.seconds) == (2, now.cost_high, 86_400)
        assert server.count == 0


def test_a_wrong_key_is_raised_and_shown_nowhere(tmp_path, caplog):
    refusal = error(401, f"Incorrect API key provided: {KEY}")
    with RawServer(refusal) as server:
        with pytest.raises(headrace.AuthenticationError) as caught:
            asked(server.url, OPENAI, ["a"], tmp_path / "q.db")
        assert KEY not in str(caught.value) + caplog.text
        assert server.count == 1


@both
def test_a_redirect_is_not_followed(tmp_path, model):
    with RawServer(http(200, {"id": "x"})) as other, BatchServer() as server:
        elsewhere = http(307, {}, headers={"location": other.url})
        server.broken = [("POST /v1/files", elsewhere), ("POST /v1/messages/batches", elsewhere)]
        [out] = asked(server.url, model, ["a"], tmp_path / "q.db")
        assert "nothing was sent there" in str(out)
        assert other.count == 0
        assert texts(asked(server.url, model, ["a"], tmp_path / "q.db")) == ["re: a"]


@both
def test_a_provider_that_is_busy_or_breaks_off_is_asked_once_more(tmp_path, model):
    rows = [f"row {n}" for n in range(200)]
    with BatchServer() as server:
        make = "POST /v1/batches" if model == OPENAI else "POST /v1/messages/batches"
        results = "/content" if model == OPENAI else "/results"
        server.broken = [(make, error(503)), (results, cut(http(200, b"x" * 9000), 100)), ("GET ", error(500))]
        client = client_at(server.url)
        out = asked(server.url, model, rows, tmp_path / "q.db", client=client)
        assert texts(out) == [f"re: {row}" for row in rows]
        assert server.made == [rows]
        assert client.costs.total == price(model) * 200
        assert not server.broken


def test_results_that_break_off_in_the_middle_are_booked_once(tmp_path):
    rows = [f"row {n}" for n in range(200)]
    with BatchServer() as server:
        first = []

        def half(_request):
            [batch] = server.batches.values()
            first.append(batch.id)
            return cut(server._content(f"out-{batch.id}"), 40_000)(_request)

        server.broken = [("/content", half)]
        client = client_at(server.url)
        out = asked(server.url, OPENAI, rows, tmp_path / "q.db", client=client)
        assert texts(out) == [f"re: {row}" for row in rows]
        assert first
        assert client.costs.total == price(OPENAI) * 200


def test_a_batch_that_is_gone_counts_as_paid_and_is_asked_again(tmp_path):
    run = tmp_path / "q.db"
    with BatchServer() as server:
        server.may_end.clear()
        with pytest.raises(headrace.Timeout):
            asked(server.url, OPENAI, ["a"], run, timeout=0)
        server.batches.clear()
        server.may_end.set()
        [out] = asked(server.url, OPENAI, ["a"], run)
        assert "has no batch" in str(out)
        assert texts(asked(server.url, OPENAI, ["a"], run, budget=worst(OPENAI, "a"))) == ["BudgetExceeded"]
        assert texts(asked(server.url, OPENAI, ["a"], run)) == ["re: a"]


def test_the_cache_answers_first_and_keeps_what_came(tmp_path):
    with BatchServer() as server:
        client = client_at(server.url)
        assert texts(asked(server.url, OPENAI, ["a", "b"], tmp_path / "1.db", client=client)) == ["re: a", "re: b"]
        out = asked(server.url, OPENAI, ["a", "c"], tmp_path / "2.db", client=client)
        assert [one.cache for one in out] == ["exact", None]
        assert server.made == [["a", "b"], ["c"]]
        assert client.chat(OPENAI, "c", max_tokens=5).cache == "exact"


def test_many_rows_are_several_batches(tmp_path):
    rows = [f"{n} " + "x" * (1 << 20) for n in range(40)]
    with BatchServer(lambda words: words[:2]) as server:
        out = asked(server.url, ANTHROPIC, rows, tmp_path / "q.db")
        assert texts(out) == [row[:2] for row in rows]
        assert [len(one) for one in server.made] == [32, 8]


def test_a_file_of_an_older_version_is_read_on(tmp_path):
    run = tmp_path / "q.db"
    with BatchServer() as server:
        asked(server.url, OPENAI, ["a"], run)
        with sqlite3.connect(run) as base:
            base.execute("DROP TABLE batch")
            base.execute("DROP TABLE batched")
            base.execute("PRAGMA user_version = 1")
        base.close()
        assert texts(asked(server.url, OPENAI, ["a", "b"], run)) == ["re: a", "re: b"]
        assert server.made == [["a"], ["b"]]


def test_money_in_the_file_is_exact(tmp_path):
    run = tmp_path / "q.db"
    with BatchServer() as server:
        out = asked(server.url, OPENAI, ["a", "b"], run)
    with sqlite3.connect(run) as base:
        kept = [Decimal(cost) for (cost,) in base.execute("SELECT cost FROM answer")]
        assert base.execute("SELECT count(*) FROM batch").fetchone() == (0,)
    base.close()
    assert sum(kept) == sum(one.cost for one in out) == price(OPENAI) * 2
