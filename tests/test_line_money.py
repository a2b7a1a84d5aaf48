"""Money on the line: estimates say so, what was paid for is never thrown away, who cannot pay is in nobody's way."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

import headrace
import pytest
from raw_server import (
    DONE,
    EVERY_WAY,
    MODEL,
    USAGE,
    RawServer,
    by_chat,
    by_stream,
    by_way,
    chunk,
    client_of,
    completion,
    embeddings,
    eventually,
    http,
    provider_of,
    sse,
    streamed,
    told,
    whole,
)

QUESTION = "What is double materiality?"
STREAMED = streamed(
    sse(chunk({"content": "An "}), chunk({"content": "answer."}, "stop"), chunk(None, usage=USAGE), DONE)
)


@pytest.mark.parametrize("usage", [None, {}])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_reply_that_tells_no_usage_is_estimated_and_says_so(ask, usage):
    with RawServer(told("Impact and financial materiality.", usage=usage)) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert answer.estimated
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0
        [record] = client.costs.records()
        assert (record.estimated, record.usage, record.cost) == (True, answer.usage, answer.cost)
        assert client.costs.stats()["estimated"] == 1


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_reply_that_tells_its_usage_is_no_estimate(ask):
    with RawServer(told()) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert not answer.estimated
        assert not client.costs.records()[0].estimated


def test_embeddings_without_usage_are_estimated_and_say_so():
    with RawServer(embeddings(2, usage=False)) as server, client_of(server) as client:
        client.embed("openai/text-embedding-3-small", ["scope 1", "scope 2"])
        [record] = client.costs.records()
        assert record.estimated
        assert record.usage.input_tokens > 0


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_the_total_decides_whether_reasoning_is_in_the_output(ask):
    def usage(total):
        details = {"reasoning_tokens": 109}
        return {
            "prompt_tokens": 40,
            "completion_tokens": 102,
            "total_tokens": total,
            "completion_tokens_details": details,
        }

    with RawServer(told(usage=usage(142))) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (40, 102)
        server.then(told(usage=usage(251)))
        apart = ask(client, "And apart?")
        assert (apart.usage.output_tokens, apart.usage.reasoning_tokens) == (211, 109)


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_what_the_provider_says_a_call_cost_is_on_the_record(ask):
    with RawServer(told(usage={**USAGE, "cost": 0.00123})) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        [record] = client.costs.records()
        assert record.told_cost == Decimal("0.00123")
        assert record.cost == answer.cost > 0


def test_a_record_without_word_of_the_cost_says_none():
    with RawServer(told()) as server, client_of(server) as client:
        client.chat(MODEL, QUESTION)
        assert client.costs.records()[0].told_cost is None


LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
file.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path):
    """The file, locked by another process: locks inside one process do not stop it."""
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        yield
        process.stdin.close()


@pytest.mark.parametrize("ask", [by_chat, by_stream])
def test_an_answer_that_cannot_be_recorded_is_given_and_kept(tmp_path, caplog, ask):
    costs = headrace.CostTracker(url=f"sqlite:///{tmp_path}/costs.db")
    with RawServer(told()) as server, client_of(server, costs=costs) as client, ThreadPoolExecutor(1) as pool:
        cost = client.chat(MODEL, "Before?").cost
        asked = threading.Event()
        server.then(by_way([asked, *STREAMED], [asked, *whole()]))
        answer = pool.submit(ask, client, QUESTION)
        server.wait_for(2)
        with locked(tmp_path / "costs.db"):  # from here on the ledger cannot be written
            asked.set()
            assert answer.result(100).text == "An answer."
            assert ask(client, QUESTION).cache == "exact"
        assert server.count == 2
        assert any(record.levelname == "WARNING" for record in caplog.records)
        assert client.chat(MODEL, "After?").cost == cost
        eventually(lambda: len([one for one in costs.records() if one.cost]) == 3)  # it was written later
        assert costs.total == 3 * cost


def test_a_refusal_for_the_worst_case_says_that_no_bound_was_given():
    with RawServer() as server, client_of(server) as client:
        client.costs.set_budget("0.001", period="ever")
        with pytest.raises(headrace.BudgetExceeded, match="max_tokens"):
            client.chat(MODEL, QUESTION)
        assert server.count == 0
        assert client.chat(MODEL, QUESTION, max_tokens=20).text == "An answer."
        with pytest.raises(headrace.BudgetExceeded) as caught:
            client.chat(MODEL, QUESTION, max_tokens=10_000)
        assert "no max_tokens" not in str(caught.value)


@pytest.mark.parametrize("ask", [by_chat, by_stream])
def test_who_waits_for_a_refused_call_is_not_refused_with_it(ask):
    hold = threading.Event()
    first = by_way([hold, *STREAMED], [hold, *whole()])
    with RawServer(first, told()) as server, client_of(server, limits={"concurrency": 1}) as client:
        client.costs.set_budget("1", tag="poor", period="ever")
        with ThreadPoolExecutor(6) as pool:
            running = pool.submit(ask, client, "Who is in the line?")
            server.wait_for(1)
            poor = pool.submit(ask, client, QUESTION, tags=["poor"], max_tokens=1000)
            eventually(lambda: len(client.queue) == 2)  # it fits as yet, and waits for its turn
            rich = [pool.submit(ask, client, QUESTION, tags=["rich"], max_tokens=1000) for _ in range(4)]
            client.costs.record(MODEL, headrace.Usage(output_tokens=5_000_000), tags=["poor"])
            hold.set()
            assert running.result(100).text == "An answer."
            assert {one.result(100).text for one in rich} == {"An answer."}
            assert isinstance(poor.exception(100), headrace.BudgetExceeded)


def test_a_call_that_cannot_be_paid_is_refused_before_it_waits():
    hold = threading.Event()
    with RawServer([hold, *whole()], told()) as server, client_of(server, limits={"concurrency": 1}) as client:
        client.costs.set_budget("0.000001", tenant="poor", period="ever")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(client.chat, MODEL, "Who is in the line?")
            server.wait_for(1)
            for ask in (client.chat, client.stream):  # at once, though the only place is taken
                with pytest.raises(headrace.BudgetExceeded):
                    ask(MODEL, QUESTION, tenant="poor", max_tokens=50)
            with pytest.raises(headrace.BudgetExceeded):
                client.embed("openai/text-embedding-3-small", ["scope 1 " * 200], tenant="poor")
            hold.set()
            assert running.result(100).text == "An answer."
        assert server.count == 1


def test_calls_that_cannot_be_paid_use_up_no_limit():
    with RawServer() as server, client_of(server, limits={"requests_per_minute": 2}) as client:
        client.costs.set_budget("0.000001", tenant="poor", period="ever")
        for n in range(5):
            with pytest.raises(headrace.BudgetExceeded):
                client.chat(MODEL, f"{QUESTION} {n}", tenant="poor", max_tokens=50)
        for n in range(2):
            assert client.chat(MODEL, f"{QUESTION} {n}", timeout=60).text == "An answer."
        assert server.count == 2


def test_a_call_waits_where_only_the_holds_of_others_are_in_its_way():
    with RawServer() as server, client_of(server) as client, ThreadPoolExecutor(1) as pool:
        client.costs.set_budget("1", period="ever")
        running = client.costs.reserve(MODEL, headrace.Usage(output_tokens=1_666_000))
        waits = pool.submit(client.chat, MODEL, QUESTION, max_tokens=10_000)
        eventually(lambda: waits.done() or len(client.queue) == 1)
        running.settle(headrace.Usage(output_tokens=10))
        assert waits.result(100).text == "An answer."


def test_a_fallback_is_priced_as_the_model_that_answered():
    one, other = RawServer(http(500, b"{}")), RawServer(streamed(sse(chunk({"content": "a"}, "stop"), DONE)), told())
    other.then(http(200, completion("An answer.")))
    with one, other:
        providers = [provider_of(one), provider_of(other, name="deepseek")]
        fallbacks = {MODEL: ["deepseek/deepseek-v3"]}
        with headrace.Client(providers, fallbacks=fallbacks, max_attempts=1) as client:
            answer = client.chat(MODEL, QUESTION)
            [record] = [one for one in client.costs.records() if one.cost]
            assert (answer.model, record.model) == ("deepseek/deepseek-v3", "deepseek-v3")
            assert answer.cost == client.costs.quote("deepseek/deepseek-v3", answer.usage).cost
