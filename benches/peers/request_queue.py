"""The queue beside what people would pick instead: the same work, in turns, in one process.

    python benches/peers/request_queue.py             # all but the last two: about a minute
    python benches/peers/request_queue.py fairness    # one tenant floods, another sends one a second: 20 seconds
    python benches/peers/request_queue.py million     # a million waiting: about 1.5 GB

Each figure is the median of its rounds. `queue.PriorityQueue` and `asyncio.PriorityQueue` put and get, and forget what
they gave; headrace puts, leases and acks. The durable peers have each put on disk when it returns, as headrace has.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import queue
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import headrace

BODY = b"x" * 512
ROUNDS = 9


def pairs(ours: Callable[[], float], theirs: Callable[[], float], what: str, peer: str) -> None:
    ours(), theirs()
    rounds = [(ours(), theirs()) for _ in range(ROUNDS)]
    mine, other = (1 / statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in rounds)
    print(f"{what:<34} headrace {mine:>12,.0f}/s   {peer} {other:>12,.0f}/s   ratio {ratio:.2f}")


def seconds(work: Callable[[], None], count: int) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count


def one_thread(count: int = 30_000) -> None:
    def ours() -> None:
        q = headrace.RequestQueue()
        for n in range(count):
            q.put(BODY, priority=n & 3)
            q.get().ack()

    def theirs() -> None:
        q = queue.PriorityQueue()
        for n in range(count):
            q.put((n & 3, n, BODY))
            q.get()

    pairs(lambda: seconds(ours, count), lambda: seconds(theirs, count), "put, get, ack", "queue.PriorityQueue")


def event_loop(each: int = 2000) -> None:
    async def traffic(put: Callable, get: Callable) -> None:
        async def producer() -> None:
            for n in range(each):
                await put(n)

        async def consumer() -> None:
            for _ in range(each):
                await get()

        await asyncio.gather(*[side() for side in (producer, consumer) for _ in range(8)])

    async def ours() -> None:
        q = headrace.RequestQueue()

        async def get() -> None:
            (await q.aget()).ack()

        await traffic(lambda n: q.aput(BODY, priority=n & 3), get)

    async def theirs() -> None:
        q, line = asyncio.PriorityQueue(), itertools.count()
        await traffic(lambda n: q.put((n & 3, next(line), BODY)), q.get)

    def run(side: Callable) -> Callable[[], float]:
        return lambda: seconds(lambda: asyncio.run(side()), 8 * each)

    pairs(run(ours), run(theirs), "8 and 8 tasks, one event loop", "asyncio.PriorityQueue")


def waiting_tasks(count: int = 200) -> None:
    """As many tasks wait as are put: from the first put to the last task that has its request."""

    async def hand_out(get: Callable, put: Callable) -> float:
        tasks = [asyncio.create_task(get()) for _ in range(count)]
        await asyncio.sleep(0.02)
        start = time.perf_counter()
        for n in range(count):
            await put(n)
        await asyncio.gather(*tasks)
        return (time.perf_counter() - start) / count

    async def ours() -> float:
        q = headrace.RequestQueue()
        return await hand_out(q.aget, lambda n: q.aput(BODY, priority=n & 3))

    async def theirs() -> float:
        q = asyncio.PriorityQueue()
        return await hand_out(q.get, lambda n: q.put((n, BODY)))

    def run(side: Callable) -> Callable[[], float]:
        return lambda: asyncio.run(side())

    pairs(run(ours), run(theirs), f"{count} tasks that wait, one loop", "asyncio.PriorityQueue")


def many(count: int = 1000) -> None:
    q, bodies = headrace.RequestQueue(), [BODY] * count

    def ours() -> float:
        start = time.perf_counter()
        q.put_many(bodies)
        jobs = q.get_many(count)
        took = time.perf_counter() - start
        for job in jobs:
            job.ack()
        return took / count

    def theirs() -> None:
        q = queue.PriorityQueue()
        for n in range(count):
            q.put((n & 3, n, BODY))
        for _ in range(count):
            q.get()

    pairs(ours, lambda: seconds(theirs, count), "put_many and get_many of 1,000", "queue.PriorityQueue")


def threads(put: Callable[[], object], each: int, count: int = 64) -> float:
    workers = [threading.Thread(target=lambda: [put() for _ in range(each)]) for _ in range(count)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / (count * each)


def durable_threads() -> None:
    import persistqueue

    def ours() -> float:
        with tempfile.TemporaryDirectory() as directory:
            q = headrace.RequestQueue(f"sqlite:///{directory}/q.db")
            return threads(lambda: q.put(BODY), 100)

    def theirs() -> float:
        with tempfile.TemporaryDirectory() as directory:
            q = persistqueue.SQLiteQueue(directory, multithreading=True, auto_commit=True)
            q._putter.execute("PRAGMA synchronous=FULL")
            return threads(lambda: q.put(BODY), 20)

    pairs(ours, theirs, "durable put, 64 threads", "persist-queue")


def bare_file(directory: str, journal: str) -> Callable[[], object]:
    """One INSERT of the body into a file of SQLite's own, on disk when it returns."""
    file = sqlite3.connect(f"{directory}/bare.db", isolation_level=None)
    file.execute(f"PRAGMA journal_mode={journal}")
    file.execute("PRAGMA synchronous=FULL")
    file.execute("CREATE TABLE requests (id INTEGER PRIMARY KEY, payload BLOB)")
    insert = "INSERT INTO requests (payload) VALUES (?)"
    return lambda: file.execute(insert, (BODY,))


def repeated(work: Callable[[], object], count: int) -> float:
    return seconds(lambda: [work() for _ in range(count)] and None, count)


def durable_alone(count: int = 300) -> None:
    """Into a new file each round: the log of either grows."""

    def bare(journal: str) -> Callable[[], float]:
        def run() -> float:
            with tempfile.TemporaryDirectory() as directory:
                return repeated(bare_file(directory, journal), count)

        return run

    def ours() -> float:
        with tempfile.TemporaryDirectory() as directory:
            q = headrace.RequestQueue(f"sqlite:///{directory}/q.db")
            return repeated(lambda: q.put(BODY), count)

    pairs(ours, bare("DELETE"), "durable put, one thread", "sqlite3 INSERT, as it comes")
    pairs(ours, bare("WAL"), "durable put, one thread", "sqlite3 INSERT, WAL")


def durable_steady(before: int = 2500, count: int = 500) -> None:
    """Into files that are in use: the log of either is written over from its start, and checkpoints count."""
    with tempfile.TemporaryDirectory() as directory:
        q, theirs = headrace.RequestQueue(f"sqlite:///{directory}/q.db"), bare_file(directory, "WAL")

        def ours() -> object:
            return q.put(BODY)

        repeated(ours, before), repeated(theirs, before)
        pairs(
            lambda: repeated(ours, count),
            lambda: repeated(theirs, count),
            "durable put, a log in use",
            "sqlite3 INSERT, WAL",
        )


def fairness(flood: int = 100_000, asked: int = 20) -> None:
    """One tenant floods four workers; another sends one request a second."""

    def waits(flooded: bool) -> list[float]:
        q, found, ends = headrace.RequestQueue(), [], threading.Event()

        def work() -> None:
            while not ends.is_set():
                try:
                    job = q.get(timeout=0.1)
                except headrace.Timeout:
                    continue
                if job.tenant == "small":
                    found.append(job.waited)
                time.sleep(0.01)
                job.ack()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        # The other case has a steady load just below what the workers can do.
        if flooded:
            q.put_many([BODY] * flood, tenant="big")
        steady = threading.Thread(
            target=lambda: [q.put(BODY, tenant="big") or time.sleep(0.003) for _ in range(330 * asked)]
        )
        if not flooded:
            steady.start()
        for _ in range(asked):
            q.put(BODY, tenant="small")
            time.sleep(1)
        ends.set()
        for worker in workers:
            worker.join()
        if not flooded:
            steady.join()
        return sorted(found)

    without, flooded = waits(False), waits(True)
    p99 = [side[int(0.99 * (len(side) - 1))] for side in (without, flooded)]
    print(
        f"a tenant that sends one a second waits, p99 of {asked}: {p99[0] * 1000:.1f} ms beside a tenant at 83 % of "
        f"the workers, {p99[1] * 1000:.1f} ms beside one with {flood:,} waiting (ratio {p99[1] / p99[0]:.2f})"
    )


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def million() -> None:
    """What put, get and ack cost with that many waiting, and what one that waits costs in memory."""
    for waiting in (1000, 1_000_000):
        gc.collect()
        q, before = headrace.RequestQueue(), resident()
        for n in range(waiting // 1000):
            q.put_many([bytes(512) for _ in range(1000)], priority=n & 3, tenant=f"tenant-{n % 20}")
        each = (resident() - before) / waiting
        took = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for n in range(10_000):
                q.put(BODY, priority=n & 3)
                q.get().ack()
            took.append((time.perf_counter() - start) / 10_000)
        print(
            f"{waiting:>9,} waiting: put, get, ack {statistics.median(took) * 1e9:,.0f} ns; {each:,.0f} bytes each, 512 of them payload"
        )
        del q


BENCHES = {
    "thread": one_thread,
    "loop": event_loop,
    "waiting": waiting_tasks,
    "many": many,
    "durable": durable_threads,
    "alone": durable_alone,
    "steady": durable_steady,
}
MORE = {"fairness": fairness, "million": million}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("which", nargs="*", choices=[*BENCHES, *MORE, []])
for name in parser.parse_args().which or BENCHES:
    {**BENCHES, **MORE}[name]()
