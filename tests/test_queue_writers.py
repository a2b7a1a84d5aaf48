"""Many writers of one file: threads, event loops, a second owner; and what ends under them while they write."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from headrace import Lease, QueueClosed, RequestQueue, StoreError


def held_in(url: str) -> list[object]:
    """All that is put on the file, as a worker finds it."""
    q = RequestQueue(url)
    return [job.payload for job in q.get_many(10_000, timeout=1)] if len(q) else []


def test_threads_and_event_loops_and_a_second_owner_write_one_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    q, other = RequestQueue(url), RequestQueue(url)
    ids: list[str] = []

    def puts(number: int) -> None:
        mine = other if number % 4 == 3 else q
        ids.extend(mine.put(f"thread {number}, {n}") for n in range(25))

    async def aputs(number: int) -> None:
        ids.extend(await asyncio.gather(*[q.aput(f"loop {number}, {n}") for n in range(100)]))

    threads = [threading.Thread(target=puts, args=(number,)) for number in range(12)]
    threads += [threading.Thread(target=lambda n=n: asyncio.run(aputs(n))) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ids) == len(set(ids)) == 500
    expected = {f"thread {number}, {n}" for number in range(12) for n in range(25)}
    expected |= {f"loop {number}, {n}" for number in range(2) for n in range(100)}
    found = held_in(url)
    assert len(found) == len(expected)
    assert set(found) == expected


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process writes to the file and takes its time."""
    code = """
    import sqlite3, sys
    file = sqlite3.connect(sys.argv[1], isolation_level=None)
    file.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.readline()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        yield
        other.communicate("go\n", timeout=20)


def test_an_event_loop_turns_while_the_disk_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    q = RequestQueue(f"sqlite:///{path}")

    async def main() -> None:
        # The loop itself lets the other process go on: were it blocked, the puts would fail.
        with locked(path):
            puts = [asyncio.create_task(q.aput(n)) for n in range(20)]
            for _ in range(100):
                await asyncio.sleep(0.001)
            assert not any(put.done() for put in puts)
        await asyncio.gather(*puts)

    asyncio.run(main())
    assert len(q) == 20


def test_the_end_of_a_lease_keeps_no_event_loop_waiting(tmp_path: Path) -> None:
    """The loop itself lets the other process go on: were it blocked, each of these would fail after 10 s."""
    path = tmp_path / "q.db"
    q = RequestQueue(f"sqlite:///{path}")
    q.put_many(list(range(4)))

    async def block(lease: Lease) -> None:
        async with lease:
            pass

    async def main() -> None:
        one, two, three, four = await q.aget_many(4, timeout=5)
        with locked(path):
            ends = [one.aack("done"), two.anack("no", delay=60), three.aextend(60), block(four)]
            tasks = [asyncio.create_task(end) for end in ends]
            for _ in range(100):
                await asyncio.sleep(0.001)
            assert not any(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        states = [await q.astatus(lease.id) for lease in (one, two, three, four)]
        assert states == ["done", "scheduled", "leased", "done"]

    asyncio.run(main())


def test_ctrl_c_reaches_one_who_waits_behind_another_writer(tmp_path: Path) -> None:
    """The first put met a locked file and left it to the store's thread; the second waits behind that."""
    path = tmp_path / "q.db"
    code = """
    import sys, threading, time, headrace
    q = headrace.RequestQueue(sys.argv[1])
    q.put("before")
    print("ready", flush=True)
    sys.stdin.readline()
    first = threading.Thread(target=q.put, args=("first",))
    first.start()
    time.sleep(0.2)
    print("waits", flush=True)
    try:
        q.put("second")
    except KeyboardInterrupt:
        print("stopped", flush=True)
    sys.stdin.readline()
    first.join()
    q.put("after")
    print(len(q), flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), f"sqlite:///{path}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin
    assert child.stdout
    try:
        assert child.stdout.readline() == "ready\n"
        with locked(path):
            child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline() == "waits\n"
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            # The file is locked until it has said so.
            assert child.stdout.readline() == "stopped\n"
        out, _ = child.communicate("go\n", timeout=20)
    finally:
        child.kill()
    # What was interrupted may have been written all the same.
    assert out in ("3\n", "4\n")


def test_what_was_promised_before_a_close_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    q = RequestQueue(url)
    promised: list[str] = []

    def puts(number: int) -> None:
        with contextlib.suppress(QueueClosed, StoreError):
            for n in range(10_000):
                q.put(f"{number}, {n}")
                promised.append(f"{number}, {n}")

    threads = [threading.Thread(target=puts, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    q.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    found = held_in(url)
    assert len(found) == len(set(found))
    assert set(promised) <= set(found)


def test_a_process_that_writes_all_the_time_leaves_others_their_turn(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    code = """
    import sys, threading, headrace
    q = headrace.RequestQueue(sys.argv[1])
    ends = threading.Event()
    def puts():
        while not ends.is_set():
            q.put("busy")
    threads = [threading.Thread(target=puts) for _ in range(4)]
    [thread.start() for thread in threads]
    print("ready", flush=True)
    sys.stdin.readline()
    ends.set()
    [thread.join() for thread in threads]
    """
    command = [sys.executable, "-c", textwrap.dedent(code), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout
        assert busy.stdout.readline() == "ready\n"
        q = RequestQueue(url)
        # The other writes until these are through.
        for n in range(50):
            q.put(f"mine {n}")
        busy.communicate("go\n", timeout=20)
    assert busy.returncode == 0
    found = held_in(url)
    assert [payload for payload in found if payload != "busy"] == [f"mine {n}" for n in range(50)]
