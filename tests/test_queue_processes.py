"""Several processes, threads and handles on one file: one order, one room, one set of limits, one pause."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headrace
import pytest
from headrace import QueueFull, RequestQueue

# Does what it is told, line by line, with a queue of its own on the file.
WORKER = """
import json, sys, headrace
options = json.loads(sys.argv[2])
q = headrace.RequestQueue(sys.argv[1], **options)
held = []
def get(n):
    try:
        found = q.get_many(n, timeout=0)
    except headrace.Timeout:
        found = []
    held.extend(found)
    return [job.payload for job in found]
def wait():
    job = q.get(timeout=60)
    job.ack(job.payload)
    return job.payload
def put(*payloads, **options):
    try:
        return len(q.put_many(list(payloads), timeout=0, **options))
    except headrace.QueueFull:
        return "full"
def ack():
    held.pop(0).ack()
print("ready", flush=True)
for line in sys.stdin:
    name, arguments, options = json.loads(line)
    known = {"get": get, "wait": wait, "put": put, "ack": ack}
    print(json.dumps((known.get(name) or getattr(q, name))(*arguments, **options)), flush=True)
"""


class Worker:
    """Another process."""

    def __init__(self, url: str, **options: Any) -> None:
        command = [sys.executable, "-c", textwrap.dedent(WORKER), url, json.dumps(options)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.answer(raw=True) == "ready\n"

    def answer(self, raw: bool = False) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the worker died"
        return line if raw else json.loads(line)

    def ask(self, name: str, *arguments: Any, **options: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([name, arguments, options]) + "\n")
        self.process.stdin.flush()

    def do(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.ask(name, *arguments, **options)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def workers(count: int, url: str, **options: Any) -> Iterator[list[Worker]]:
    made = [Worker(url, **options) for _ in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            worker.kill()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/q.db"


def test_threads_share_one_room(url: str) -> None:
    q = RequestQueue(url, max_size=10)
    begin, let_in = threading.Barrier(64), []

    def put(n: int) -> None:
        begin.wait()
        with contextlib.suppress(QueueFull):
            let_in.append(q.put(n, timeout=0))

    threads = [threading.Thread(target=put, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == len(q) == 10


def test_tasks_share_one_room(url: str) -> None:
    q = RequestQueue(url, max_size=10)

    async def main() -> int:
        puts = await asyncio.gather(*[q.aput(n, timeout=0) for n in range(200)], return_exceptions=True)
        assert all(isinstance(put, (str, QueueFull)) for put in puts)
        return sum(isinstance(put, str) for put in puts)

    assert asyncio.run(main()) == len(q) == 10


def test_processes_share_one_room(url: str) -> None:
    with workers(3, url, max_size=10, max_bytes=1000) as others:
        for other in others:
            other.ask("put", *range(4))
        assert sorted(str(other.answer()) for other in others) == ["4", "4", "full"]
        assert [other.do("put", "a", "b") for other in others] == [2, "full", "full"]
        assert len(others[0].do("get", 1)) == 1
        others[0].do("ack")
        assert others[2].do("put", "x" * 2000) == "full"
        assert others[1].do("put", "y") == 1


def test_processes_share_limits(url: str) -> None:
    limits = {"concurrency": 3, "requests_per_minute": 5, "tenant": {"slow": {"concurrency": 1}}}
    with workers(2, url, limits=limits) as (one, two):
        one.do("put", *range(10))
        one.do("put", "s", "s", tenant="slow", priority="critical")
        assert one.do("get", 2) == ["s", 0]
        assert two.do("get", 5) == [1], "three at once in both together, one of them of the slow tenant"
        assert one.do("get", 5) == []
        one.do("ack")
        assert two.do("get", 5) == ["s"], "the slow tenant's slot is free"
        two.do("ack")
        assert one.do("get", 5) == [2]
        one.do("ack")
        two.do("ack")
        assert one.do("get", 5) == []
        assert two.do("get", 5) == [], "five requests have left in this minute"
    late = RequestQueue(url, limits=limits)
    with pytest.raises(headrace.Timeout):
        late.get(timeout=0)


def test_processes_share_one_order(url: str) -> None:
    with workers(4, url) as others:
        for n in range(12):
            others[n % 4].do("put", n, priority=(3, 2, 1)[n % 3])
        found = [others[n % 4].do("get", 1)[0] for n in range(12)]
    assert found == [2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9]


def test_tenants_take_turns_across_processes(url: str) -> None:
    with workers(3, url) as others:
        others[0].do("put", *["loud"] * 30, tenant="loud")
        others[1].do("put", *["quiet"] * 5, tenant="quiet")
        found = [others[n % 3].do("get", 1)[0] for n in range(8)]
    assert 3 <= found.count("quiet") <= 5, found


def test_a_pause_holds_everywhere(url: str) -> None:
    with workers(2, url) as (one, two):
        one.do("put", 1)
        one.do("pause")
        assert two.do("get", 1) == []
        assert two.do("stats")["paused"]
        late = RequestQueue(url)
        assert late.stats()["paused"]
        two.do("resume")
        assert one.do("get", 1) == [1]


def test_one_who_waits_hears_of_another_process(url: str) -> None:
    q = RequestQueue(url, max_size=1)
    with workers(1, url, max_size=1) as (other,):
        for n in range(5):
            other.ask("wait")
            request = q.put(n, timeout=60)
            assert q.result(request, timeout=60) == n
            assert other.answer() == n


def test_results_of_another_process_are_heard_of_by_tasks(url: str) -> None:
    q = RequestQueue(url)

    async def main(other: Worker) -> None:
        for n in range(5):
            other.ask("wait")
            assert await q.aresult(await q.aput(n), timeout=60) == n
            assert other.answer() == n

    with workers(1, url) as (other,):
        asyncio.run(main(other))


def test_a_killed_process_holds_nothing_for_longer_than_its_leases(url: str) -> None:
    limits = {"concurrency": 2}
    q = RequestQueue(url, limits=limits)
    with workers(1, url, lease_seconds=1.0, limits=limits) as (other,):
        other.do("put", 1, 2, 3)
        assert other.do("get", 2) == [1, 2]
        other.kill()
        found = []
        while len(q):
            job = q.get(timeout=60)
            found.append((job.payload, job.attempt))
            job.ack()
    assert sorted(found) == [(1, 2), (2, 2), (3, 1)]
