"""A run that is left and taken up again: nothing kept is paid twice, the budget holds over all its parts."""

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal

import headrace
import pandas
import pytest
from headrace.frame.outcome import Failed, Kept
from headrace.frame.store import RunFile
from raw_server import MODEL, RawServer, client_of, error, whole

COST = headrace.CostTracker().quote(MODEL, headrace.Usage(12, 5)).cost
ROWS, DISTINCT, CONCURRENCY = 2000, 1500, 16


def asked(request):
    return request.json["messages"][-1]["content"]


def repeat(request):
    return whole(asked(request))


def text(place):
    """The text of a row: every fourth row is like one before it."""
    return f"row {place % DISTINCT}"


def is_faulty(words):
    """One row in twenty."""
    return int(words.rpartition(" ")[2]) % 20 == 7


# The cell of a notebook, as a process of its own.
CELL = """
import sys, headrace, pandas
url, run, budget, rows, distinct = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
client = headrace.Client([headrace.providers.OpenAICompatible(url, name="openai", api_key="sk-test")], max_attempts=1)
frame = pandas.DataFrame({"text": [f"row {place % distinct}" for place in range(rows)]})
print("ready", flush=True)
headrace.map(frame, "{text}", model="openai/gpt-4o-mini", client=client, run=run, budget=budget, max_tokens=5)
"""


def cell(server, run, budget):
    arguments = [server.url, str(run), str(budget), str(ROWS), str(DISTINCT)]
    return subprocess.Popen(
        [sys.executable, "-c", CELL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_two_thousand_rows_with_faults_and_a_kill_in_the_middle(tmp_path):
    """Every row is answered, nothing kept is asked again, order and budget hold."""
    run, answered, lock = tmp_path / "q3.db", Counter(), threading.Lock()
    failing = {f"row {place}" for place in range(DISTINCT) if is_faulty(f"row {place}")}

    def reply(request):
        words = asked(request)
        with lock:
            if words in failing:
                failing.discard(words)
                return error(503)
            answered[words] += 1
        return repeat(request)

    budget = COST * (DISTINCT + 3 * CONCURRENCY)
    with RawServer(reply) as server:
        process = cell(server, run, budget)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        server.wait_for(600)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server.wait_until_left()
        with sqlite3.connect(run) as base:
            kept = {row[0] for row in base.execute("SELECT cells FROM answer")}
        base.close()
        before = Counter(answered)
        assert len(kept) >= 600 - len(failing) - 3 * CONCURRENCY - 100
        frame = pandas.DataFrame({"text": [text(place) for place in range(ROWS)]})
        call = {"model": MODEL, "run": run, "budget": budget, "max_tokens": 5}
        # What fails in this part is asked again in the next.
        for _ in range(2):
            with client_of(server) as client:
                out = headrace.map(frame, "{text}", client=client, **call)
        assert list(out["answer"]) == list(frame["text"])
        assert out["_error"].isna().all()
        assert sum(out["_cost"]) == COST * DISTINCT
        # Only what was on its way when the process died was asked twice: at the provider, or not yet on the disk.
        twice = {words for words, count in answered.items() if count > 1}
        assert len(twice) <= CONCURRENCY
        assert max(answered.values()) <= 2
        assert all(answered[words] == before[words] for words in before if f'["{words}"]' in kept)
        assert COST * answered.total() <= budget
        # All is answered: nobody is asked any more.
        count = server.count
        with client_of(server) as client:
            again = headrace.map(frame, "{text}", client=client, **call)
        assert server.count == count
        assert again.equals(out)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_budget_holds_over_a_kill(tmp_path):
    """What died on its way counts as paid at its worst: the parts of a run together never pass the budget."""
    run = tmp_path / "q.db"
    # No more than the client counts beforehand: a provider that counts more is beyond any worst case.
    usage = {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}
    cost = headrace.CostTracker().quote(MODEL, headrace.Usage(2, 5)).cost
    budget, paid = cost * 120, Counter()

    def reply(request):
        paid[asked(request)] += 1
        return whole(asked(request), usage=usage)

    with RawServer(reply) as server:
        for most in (40, 80):
            process = cell(server, run, budget)
            assert process.stdout is not None
            process.stdout.readline()
            server.wait_for(most)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            server.wait_until_left()
        with client_of(server) as client:
            texts = [{"text": text(place)} for place in range(ROWS)]
            out = headrace.map(texts, "{text}", model=MODEL, client=client, run=run, budget=budget, max_tokens=5)
        assert cost * paid.total() <= budget
        assert sum(isinstance(one, headrace.BudgetExceeded) for one in out) > 0
        assert sum(isinstance(one, headrace.Response) for one in out) > 40


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_an_interrupt_keeps_what_is_answered(tmp_path):
    run, gate = tmp_path / "q.db", threading.Event()

    def reply(request):
        return repeat(request) if int(asked(request).rpartition(" ")[2]) < 100 else [gate]

    with RawServer(reply) as server:
        process = cell(server, run, "1.00")
        assert process.stdout is not None
        process.stdout.readline()
        server.wait_for(100 + CONCURRENCY)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in told
        gate.set()
        server.then(repeat)
        before = server.count
        with client_of(server) as client:
            texts = [{"text": text(n)} for n in range(200)]
            out = headrace.map(texts, "{text}", model=MODEL, client=client, run=run, max_tokens=5)
        assert [r.text for r in out] == [text(n) for n in range(200)]
        assert server.count == before + 100


def test_what_failed_is_apart_and_tried_again(tmp_path):
    run = tmp_path / "q.db"
    with RawServer(error(500), repeat) as server:
        call = {"model": MODEL, "run": run, "concurrency": 1}
        out = headrace.map(["a", "b"], "{}", client=client_of(server), **call)
        assert isinstance(out[0], headrace.ProviderUnavailable)
        assert out[1].text == "b"
        with sqlite3.connect(run) as base:
            assert base.execute("SELECT kind, tries FROM failure").fetchall() == [("ProviderUnavailable", 1)]
        base.close()
        out = headrace.map(["a", "b"], "{}", client=client_of(server), **call)
        assert [r.text for r in out] == ["a", "b"]
        assert server.count == 3


def test_an_answer_of_the_wrong_form_is_asked_anew_not_taken_from_the_cache(tmp_path):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with RawServer(whole('{"m": 1}'), whole('{"n": 1}')) as server, client_of(server) as client:
        call = {"model": MODEL, "client": client, "schema": schema, "run": tmp_path / "q.db"}
        assert isinstance(headrace.map(["a"], "{}", **call)[0], ValueError)
        assert headrace.map(["a"], "{}", **call)[0].parsed == {"n": 1}
        assert server.count == 2


@pytest.mark.parametrize(
    "change",
    [{"template": "Q: {}!"}, {"model": "openai/gpt-4o"}, {"temperature": 1}, {"schema": {"properties": {"a": {}}}}],
)
def test_a_change_is_another_run_and_says_so(tmp_path, change, caplog):
    call = {"template": "Q: {}", "model": MODEL, "run": tmp_path / "q.db"}
    with RawServer(whole('{"a": 1}')) as server, client_of(server, cache=headrace.SemanticCache()) as client:
        for _ in range(2):
            headrace.map(["a"], client=client, **call)
        assert server.count == 1
        assert caplog.text == ""
        with caplog.at_level(logging.WARNING):
            headrace.map(["a"], client=client, **call | change)
        assert server.count == 2
        assert "holds 1 other run(s)" in caplog.text
        caplog.clear()
        # The first is still there.
        headrace.map(["a"], client=client, **call)
        assert server.count == 2
        assert caplog.text == ""


def test_rows_may_be_added_and_moved(tmp_path):
    call = {"model": MODEL, "run": tmp_path / "q.db"}
    with RawServer(repeat) as server:
        headrace.map(["a", "b"], "{}", client=client_of(server), **call)
        out = headrace.map(["c", "b", "a", "b"], "{}", client=client_of(server), **call)
        assert [r.text for r in out] == ["c", "b", "a", "b"]
        assert server.count == 3
        assert [r.cost > 0 for r in out] == [True, True, True, False]


def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as base:
        base.execute("CREATE TABLE mine (a)")
    base.close()
    before = other.read_bytes()
    with pytest.raises(headrace.StoreError, match="give run= another name"):
        headrace.map(["a"], "{}", model="simulated/echo", run=other, client=client_of(RawServer()))
    assert other.read_bytes() == before
    notes = tmp_path / "notes.txt"
    notes.write_text("no database at all" * 100)
    with pytest.raises(headrace.StoreError, match=r"notes\.txt"):
        headrace.map(["a"], "{}", model="simulated/echo", run=notes, client=client_of(RawServer()))
    with pytest.raises(headrace.StoreError, match="see that the folder is there"):
        headrace.map(["a"], "{}", model="simulated/echo", run=tmp_path / "no" / "q.db", client=client_of(RawServer()))


def test_two_at_once_never_pay_for_the_same_rows(tmp_path):
    run, gate = tmp_path / "q.db", threading.Event()
    with RawServer([gate]) as server, client_of(server) as client:

        async def main():
            first = asyncio.create_task(headrace.amap(["a"], "{}", model=MODEL, client=client, run=run))
            await asyncio.to_thread(server.wait_for, 1)
            with pytest.raises(headrace.StoreError, match="another process runs it"):
                await headrace.amap(["a"], "{}", model=MODEL, client=client, run=run)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first

        asyncio.run(main())
        gate.set()
        server.then(repeat)
        assert headrace.map(["a"], "{}", model=MODEL, client=client, run=run)[0].text == "a"


def test_a_ledger_that_is_kept_counts_once(tmp_path):
    """A durable ledger knows what the run has cost; the run's file does not count that again."""
    call = {"model": MODEL, "run": tmp_path / "q.db", "budget": COST * 10, "max_tokens": 5}
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    with RawServer(repeat) as server:
        for rows in (5, 10):
            client = client_of(server, costs=headrace.CostTracker(url=ledger))
            out = headrace.map([f"row {n}" for n in range(rows)], "{}", client=client, concurrency=1, **call)
            assert [r.text for r in out] == [f"row {n}" for n in range(rows)]
        client = client_of(server, costs=headrace.CostTracker(url=ledger))
        out = headrace.map([f"row {n}" for n in range(12)], "{}", client=client, concurrency=1, **call)
        assert [isinstance(one, headrace.BudgetExceeded) for one in out] == [False] * 10 + [True] * 2
        assert client.costs.total == COST * 10


def test_an_answer_is_on_the_disk_before_the_next_is_asked_for(tmp_path):
    run = tmp_path / "q.db"
    kept = []

    def reply(request):
        copy = tmp_path / "copy.db"
        for suffix in ("", "-wal"):
            (tmp_path / f"copy.db{suffix}").write_bytes((tmp_path / f"q.db{suffix}").read_bytes())
        with sqlite3.connect(copy) as base:
            kept.append(base.execute("SELECT count(*) FROM answer").fetchone()[0])
        base.close()
        return repeat(request)

    with RawServer(reply) as server:
        headrace.map(list("abcdef"), "{}", model=MODEL, client=client_of(server), run=run, concurrency=1)
    # Two are given to the client at a time, so that one is ready when one comes back.
    assert all(n - 2 <= count <= n for n, count in enumerate(kept))
    assert kept[-1] >= 3


def test_what_was_on_its_way_counts_at_its_worst(tmp_path):
    run = tmp_path / "q.db"
    store = RunFile(run, "id", "{}", MODEL)
    store.send(b"key", Decimal("0.5"))
    store.send(b"other", Decimal("0.25"))
    store.close()
    store = RunFile(run, "id", "{}", MODEL)
    assert (store.sums().lost, store.sums().spent) == (Decimal("0.75"), 0)
    store.close()
    store = RunFile(run, "id", "{}", MODEL)
    assert store.sums().lost == Decimal("0.75")
    store.close()


def with_words(old, new):
    """What stands in the file, also where that need not be text."""

    def damage(path):
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))

    return damage


def with_value(statement):
    def damage(path):
        base = sqlite3.connect(path)
        with base:
            assert base.execute(statement).rowcount > 0
        base.close()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        with_words(b"CREATE TABLE answer", b"CREATE TA\xf0LE answer"),
        with_words(b"state BLOB, cells TEXT", b"st\xf0te BLOB, cells TEXT"),
        with_value("UPDATE answer SET cost = 'nothing'"),
        with_value("UPDATE answer SET cost = NULL"),
        with_value("UPDATE run SET lost = 'x'"),
        with_value("UPDATE failure SET paid = CAST(x'ff' AS TEXT)"),
        with_value("UPDATE batched SET prompt = '{'"),
    ],
)
def test_a_damaged_file_is_told_as_an_error_that_names_it(tmp_path, damage):
    run = tmp_path / "q.db"
    store = RunFile(run, "id", "{}", MODEL)
    store.keep(b"key", Kept(b"state", "{}", Decimal("0.01"), False, MODEL, 10, 5))
    store.fail(b"other", Failed("ProviderError", "gone"), Decimal("0.1"))
    store.batches.begin("token", [(b"third", Decimal(1), "text")])
    store.close()
    damage(run)
    with pytest.raises(headrace.StoreError, match=r"q\.db"):
        store = RunFile(run, "id", "{}", MODEL)
        try:
            store.sums()
            store.outcome(b"key", 0)
            store.batches.prompt("token", b"third")
        finally:
            store.close()
