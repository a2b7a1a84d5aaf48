"""A queue on a real redis-server, through Python: the same calls, shared by processes and their forks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import headrace
import pytest
from headrace import RequestQueue
from redis_server import redis_server

PATIENT = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def test_a_life(url):
    q = RequestQueue(url, name="life", lease_seconds=PATIENT)
    id = q.put({"question": "scope 1 in 2023?"}, priority="high", tenant="acme", key="k")
    assert q.put("again", key="k") == id
    assert (q.status(id), len(q)) == ("waiting", 1)
    with q.get(timeout=PATIENT) as job:
        assert (job.id, job.payload, job.priority, job.tenant, job.attempt) == (
            id,
            {"question": "scope 1 in 2023?"},
            "high",
            "acme",
            1,
        )
        job.extend(PATIENT)
        job.ack(b"\x00\xff")
    assert q.result(id, timeout=PATIENT) == b"\x00\xff"
    with pytest.raises(headrace.LeaseLost):
        job.ack()
    with pytest.raises(headrace.Timeout):
        q.get(timeout=0)
    ids = q.put_many(["a", "b", "c"], tenant="é% \x01")
    jobs = q.get_many(3, timeout=PATIENT)
    assert [job.payload for job in jobs] == ["a", "b", "c"] and jobs[0].tenant == "é% \x01"
    jobs[0].nack("no", retry=False)
    jobs[1].nack("later", delay=0)
    assert q.cancel(ids[2]) and not q.cancel(ids[2])
    [letter] = q.dead()
    assert (letter["id"], letter["reason"], letter["payload"]) == (ids[0], "no", "a")
    q.requeue(ids[0])
    assert sorted(q.get(timeout=PATIENT).attempt for _ in range(2)) == [1, 2]
    stats = q.stats()
    assert stats["by_status"]["leased"] == 2 and stats["by_tenant"] == {"é% \x01": 2}
    q.pause()
    assert q.stats()["paused"]
    q.resume()
    with pytest.raises(ValueError):
        q.status("00000000000003e7")
    q.close()
    with pytest.raises(headrace.QueueClosed):
        q.put("x")


def test_the_twins_and_a_full_queue(url):
    async def main():
        q = RequestQueue(url, name="twins", max_size=1)
        id = await q.aput("one")
        with pytest.raises(headrace.QueueFull):
            await q.aput("two", timeout=0)
        waiting = asyncio.create_task(q.aput("two", timeout=PATIENT))
        job = await q.aget(timeout=PATIENT)
        await job.aack({"n": 1})
        assert await q.aresult(id, timeout=PATIENT) == {"n": 1}
        await waiting
        async with await q.aget(timeout=PATIENT) as job:
            assert job.payload == "two"
        await q.adrain(timeout=PATIENT)
        taken = asyncio.create_task(q.aget())
        while (await q.astats())["by_status"]["leased"] != 0:
            await asyncio.sleep(0)
        taken.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taken
        await q.aput("three")
        job = await q.aget(timeout=PATIENT)
        assert job.payload == "three"

    asyncio.run(main())


def test_a_forked_child_has_connections_of_its_own(url):
    q = RequestQueue(url, name="fork")
    q.put("before")
    child = os.fork()
    if child == 0:
        try:
            job = q.get(timeout=PATIENT)
            job.ack("from the child")
            q.put("by the child")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert q.get(timeout=PATIENT).payload == "by the child"


WORKER = """
import sys, headrace
q = headrace.RequestQueue(sys.argv[1], name="killed", lease_seconds=1)
job = q.get(timeout=60)
print(job.payload, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_worker_held_comes_again(url):
    q = RequestQueue(url, name="killed", lease_seconds=1)
    id = q.put("work")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert worker.stdout.readline() == b"work\n"
        worker.send_signal(signal.SIGKILL)
        job = q.get(timeout=PATIENT)
        assert (job.id, job.attempt) == (id, 2)
        job.ack()
    finally:
        worker.kill()
        worker.communicate()


def test_an_address_without_a_server_is_an_error_without_its_secret(tmp_path):
    with redis_server(tmp_path) as gone:
        pass
    for scheme in ["redis", "redis+cluster", "redis+sentinel", "upstash"]:
        url = gone.replace("redis://", f"{scheme}://user:hush@")
        with pytest.raises(headrace.StoreError) as raised:
            RequestQueue(url)
        assert "hush" not in str(raised.value)


def test_an_address_is_shown_without_its_password(tmp_path):
    with redis_server(tmp_path, "--requirepass", "hush") as plain:
        q = RequestQueue(plain.replace("redis://", "redis://:hush@"))
        assert "hush" not in repr(q) + q.url and "***" in q.url


def test_upstash_reads_the_environment(monkeypatch):
    monkeypatch.delenv("UPSTASH_REDIS_REST_URL", raising=False)
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "hush")
    with pytest.raises(headrace.ConfigError, match="UPSTASH_REDIS_REST_URL is not set") as raised:
        RequestQueue("upstash://")
    assert "hush" not in str(raised.value)
