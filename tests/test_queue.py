"""The request queue through its Python surface, in memory, on a file and in Redis."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import headrace
import pytest
from headrace import LeaseLost, QueueClosed, QueueFull, RequestQueue, StoreError
from headrace._core.clock import Manual
from hypothesis import given
from hypothesis import strategies as st
from redis_server import redis_server

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "redis":
        with redis_server(tmp_path) as url:
            yield url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/queue.db"


@given(value=VALUES | st.binary(), result=VALUES | st.binary())
def test_payload_and_result_come_back_as_they_went_in(value: Any, result: Any) -> None:
    q = RequestQueue()
    request = q.put(value)
    job = q.get(timeout=0)
    assert job.payload == value
    assert type(job.payload) is type(value)
    job.ack(result)
    assert q.result(request, timeout=0) == result


def test_priorities_then_age(url: str) -> None:
    q = RequestQueue(url)
    for i in range(12):
        q.put(i, priority=i % 4)
    order = [job.payload for job in q.get_many(12, timeout=0)]
    assert order == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]


def test_tenants_take_turns(url: str) -> None:
    q = RequestQueue(url)
    q.put_many(["flood"] * 50, tenant="loud")
    q.put_many(["drop"] * 3, tenant="quiet")
    first = [q.get(timeout=0).tenant for _ in range(6)]
    assert first.count("quiet") == 3


def test_a_life(url: str) -> None:
    q = RequestQueue(url, max_attempts=2)
    request = q.put({"q": 1}, key="once")
    assert q.put({"q": 2}, key="once") == request
    assert len(q) == 1
    job = q.get(timeout=1)
    assert (job.id, job.attempt, job.priority, job.tenant) == (request, 1, "normal", "default")
    assert q.status(request) == "leased"
    job.nack("busy", delay=0)
    with pytest.raises(LeaseLost):
        job.ack()
    with pytest.raises(RuntimeError, match="broken"), q.get(timeout=1):
        raise RuntimeError("broken")
    assert q.status(request) == "dead"
    (letter,) = q.dead()
    assert (letter["id"], letter["payload"]) == (request, {"q": 1})
    assert letter["history"][0]["error"] == "busy"
    with pytest.raises(headrace.RequestFailed, match="broken"):
        q.result(request)
    q.requeue(request)
    q.get(timeout=1).ack([1, 2])
    assert q.result(request) == [1, 2]
    assert q.put("again", key="once") == request
    assert len(q) == 0


def test_a_lease_runs_out_and_the_request_comes_back(url: str) -> None:
    q = RequestQueue(url, lease_seconds=0.05)
    q.put("x")
    first = q.get(timeout=0)
    second = q.get(timeout=5)
    assert (second.payload, second.attempt) == ("x", 2)
    for call in (first.ack, first.nack, lambda: first.extend(1)):
        with pytest.raises(LeaseLost):
            call()


def test_cancel_in_every_state(url: str) -> None:
    q = RequestQueue(url)
    waiting, scheduled = q.put(1), q.put(2, delay=60)
    leased = q.put(3, priority="critical")
    job = q.get(timeout=0)
    assert job.id == leased
    for request in (waiting, scheduled, leased):
        assert q.cancel(request)
        assert not q.cancel(request)
        with pytest.raises(headrace.RequestCancelled):
            q.result(request)
    with pytest.raises(LeaseLost):
        job.ack()
    assert len(q) == 0


def test_a_deadline_that_passed_is_never_handed_out(url: str) -> None:
    with Manual() as clock:
        q = RequestQueue(url)
    request = q.put("late", deadline=10)
    clock.advance(11)
    with pytest.raises(headrace.Timeout):
        q.get(timeout=0)
    assert q.dead()[0]["reason"] == "deadline"
    assert q.status(request) == "dead"


def test_bounds(url: str) -> None:
    q = RequestQueue(url, max_size=2)
    q.put_many([1, 2])
    with pytest.raises(QueueFull, match="max_size"):
        q.put(3, timeout=0.01)
    threading.Timer(0.05, lambda: q.get(timeout=1).ack()).start()
    q.put(3, timeout=10)
    q.close()
    with pytest.raises(QueueClosed):
        q.put(4)
    with pytest.raises(QueueClosed):
        q.get(timeout=0)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"priority": "urgent"}, ValueError),
        ({"priority": 4}, ValueError),
        ({"priority": -1}, ValueError),
        ({"priority": 1.5}, TypeError),
        ({"priority": True}, TypeError),
        ({"delay": -1}, ValueError),
        ({"delay": math.nan}, ValueError),
        ({"delay": math.inf}, ValueError),
        ({"delay": "1"}, TypeError),
        ({"deadline": timedelta(seconds=-1)}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"max_attempts": 0}, ValueError),
    ],
)
def test_bad_input_changes_nothing(arguments: dict[str, Any], error: type[Exception]) -> None:
    q = RequestQueue()
    with pytest.raises(error):
        q.put("x", **arguments)
    with pytest.raises(error):
        asyncio.run(q.aput("x", **arguments))
    if "timeout" in arguments:
        with pytest.raises(error):
            asyncio.run(q.aget(**arguments))
    assert len(q) == 0


@pytest.mark.parametrize("payload", [object(), {1, 2}, {"x": object()}, math.nan])
def test_what_is_neither_json_nor_bytes_is_refused(payload: Any) -> None:
    q = RequestQueue()
    with pytest.raises((TypeError, ValueError)):
        q.put(payload)
    assert len(q) == 0


def test_a_cancelled_aget_swallows_nothing(url: str) -> None:
    q = RequestQueue(url)

    async def main() -> list[int]:
        seen = []
        for i in range(40):
            getting = asyncio.ensure_future(q.aget(timeout=5))
            await asyncio.sleep(0)
            await q.aput(i)
            if i % 3:
                await asyncio.sleep(0.002 * (i % 2))
            getting.cancel()
            try:
                job = await getting
            except asyncio.CancelledError:
                continue
            seen.append(job.payload)
            job.ack()
        while True:
            gc.collect()
            try:
                job = await q.aget(timeout=0.3)
            except headrace.Timeout:
                return seen
            assert job.attempt == 1, "a wait that was cancelled is no attempt"
            seen.append(job.payload)
            job.ack()

    assert sorted(asyncio.run(main())) == list(range(40))


def test_threads_and_asyncio_share_a_queue() -> None:
    q = RequestQueue()
    seen: list[int] = []

    def work() -> None:
        while (job := q.get(timeout=10)).payload is not None:
            seen.append(job.payload)
            job.ack()
        job.ack()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()

    async def main() -> None:
        await asyncio.gather(*[q.aput(i) for i in range(1000)])
        await asyncio.gather(*[q.aput(None, priority="low") for _ in workers])
        await q.adrain(timeout=30)

    asyncio.run(main())
    for worker in workers:
        worker.join()
    assert sorted(seen) == list(range(1000))


def test_limits_let_others_pass() -> None:
    q = RequestQueue(limits={"tenant": {"slow": {"concurrency": 1}}})
    q.put_many(["s"] * 3, tenant="slow")
    q.put_many(["f"] * 3, tenant="fast")
    jobs = q.get_many(6, timeout=0)
    assert sorted(job.tenant for job in jobs) == ["fast", "fast", "fast", "slow"]
    next(job for job in jobs if job.tenant == "slow").ack()
    assert q.get(timeout=0).tenant == "slow"


def test_a_file_goes_on_where_it_was_left(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    q = RequestQueue(url)
    ids = q.put_many(list(range(10)))
    q.get(timeout=0).ack("done")
    q.close()
    q = RequestQueue(url)
    assert len(q) == 9
    assert q.result(ids[0], timeout=0) == "done"
    assert [job.payload for job in q.get_many(10, timeout=0)] == list(range(1, 10))


def test_two_owners_of_a_file_never_hold_the_same_request(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    one, two = RequestQueue(url), RequestQueue(url)
    one.put_many(list(range(60)))
    seen: list[int] = []

    def work(q: RequestQueue) -> None:
        while True:
            try:
                job = q.get(timeout=0.5)
            except headrace.Timeout:
                return
            seen.append(job.payload)
            job.ack()

    workers = [threading.Thread(target=work, args=(q,)) for q in (one, two, one, two)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(seen) == list(range(60))


def test_an_extended_lease_is_not_taken_by_another_owner(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    with Manual() as clock:
        one, two = RequestQueue(url, lease_seconds=10), RequestQueue(url, lease_seconds=10)
    one.put("x")
    job = one.get(timeout=0)
    assert len(two) == 1
    job.extend(60)
    clock.advance(30)
    with pytest.raises(headrace.Timeout):
        two.get(timeout=0)
    job.ack()


def test_damage_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"this is no database, but it is long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"queue\.db"):
        RequestQueue(f"sqlite:///{path}")


def script(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_nothing_promised_is_lost_to_sigkill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    put = """
        import sys, headrace
        q = headrace.RequestQueue(sys.argv[1])
        for i in range(10**6):
            q.put(i)
            print(i, flush=True)
    """
    work = """
        import sys, headrace
        q = headrace.RequestQueue(sys.argv[1], lease_seconds=0.5)
        while True:
            job = q.get(timeout=30)
            job.ack()
            print(job.payload, flush=True)
    """
    lines = []
    for code in (put, work):
        child = script(code, url)
        assert child.stdout is not None
        first = [child.stdout.readline() for _ in range(5)]
        os.kill(child.pid, signal.SIGKILL)
        text = "".join(first) + child.communicate()[0]
        lines.append({int(line) for line in text.split("\n")[:-1]})
    promised, acked = lines
    q = RequestQueue(url, lease_seconds=0.5)
    seen = set()
    while not promised <= acked | seen:
        job = q.get(timeout=5)
        seen.add(job.payload)
        job.ack()
    assert not seen & acked, "what was acked does not come back"


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_forked_child_has_a_queue_that_works(store: str, tmp_path: Path) -> None:
    url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/queue.db"
    child = script(
        """
        import os, sys, headrace
        q = headrace.RequestQueue(sys.argv[1])
        q.put(1)
        pid = os.fork()
        q.put(2 if pid else 3)
        if pid == 0:
            q.get(timeout=5).ack()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        q.put(4)
        print(len(q))
        """,
        url,
    )
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    assert out.strip() == "3"


def test_an_interpreter_ends_cleanly_with_waits_open() -> None:
    child = script(
        """
        import asyncio, threading, time, headrace
        q = headrace.RequestQueue()
        for _ in range(4):
            threading.Thread(target=q.get, daemon=True).start()
        async def main():
            asyncio.ensure_future(q.aget())
            await asyncio.sleep(0.1)
        asyncio.run(main())
        q.put(1)
        """
    )
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")


def test_ctrl_c_ends_a_wait() -> None:
    child = script(
        """
        import headrace
        print("ready", flush=True)
        try:
            headrace.RequestQueue().get()
        except KeyboardInterrupt:
            print("stopped")
        """
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    threading.Event().wait(0.3)
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=20)[0] == "stopped\n"


def test_it_tells_its_state() -> None:
    q = RequestQueue(name="<reports>")
    q.put(1, tenant="<b>", priority="high")
    q.put(2, delay=60)
    q.get(timeout=0).ack()
    stats = q.stats()
    assert stats["by_status"]["done"] == 1
    assert stats["by_status"]["scheduled"] == 1
    assert stats["wait"]["count"] == 1
    assert "reports" in repr(q)
    assert "<reports>" not in q._repr_html_()
    assert "<table" in q._repr_html_()
