"""What a queue's file says: damage is found and told, and files of the version before are read."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import headrace
import pytest
from headrace import RequestQueue

OLD = Path(__file__).parent / "data" / "queue_version_2.db"
COUNT = 40


def text(n: int) -> str:
    return f"{n} " * 60


def filled(path: Path) -> bytes:
    """A file with requests in every state, alone and whole."""
    code = f"""
import os, sys, headrace
q = headrace.RequestQueue(sys.argv[1], keep_results_seconds=3e8)
q.put_many([{{"n": n, "text": f"{{n}} " * 60}} for n in range({COUNT})], tenant="acme")
for job in q.get_many(5, timeout=5):
    job.nack("busy", delay=0)
q.put("later", delay=3e8, key="later")
q.close()
del q
"""
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], check=True, timeout=60)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path.read_bytes()


def account_of(path: Path) -> tuple[list[int], int] | None:
    """The numbers that are served, and how many requests are told to be damaged; None where the file says it is broken."""
    served: list[int] = []
    try:
        q = RequestQueue(f"sqlite:///{path}")
        damaged = sum("damaged" in letter["reason"] for letter in q.dead())
        while True:
            try:
                job = q.get(timeout=0)
            except headrace.Timeout:
                break
            assert job.payload["text"] == text(job.payload["n"]), "an altered payload was handed out"
            assert job.tenant == "acme"
            assert job.attempt == (2 if job.payload["n"] < 5 else 1)
            served.append(job.payload["n"])
        damaged = sum("damaged" in letter["reason"] for letter in q.dead())
    except headrace.StoreError:
        return None
    later = q.stats()["by_status"]["scheduled"]
    assert len(served) == len(set(served))
    assert len(served) + damaged + later == COUNT + 1, "every request is served, waits, or is told to be damaged"
    return served, damaged


def test_no_flipped_byte_goes_unnoticed(tmp_path: Path) -> None:
    content = filled(tmp_path / "whole.db")
    account = account_of(tmp_path / "whole.db")
    assert account == (list(range(COUNT)), 0)
    dice, readable = random.Random(11), 0
    for n in range(150):
        damaged = bytearray(content)
        damaged[dice.randrange(100, len(damaged))] ^= 1 << dice.randrange(8)
        path = tmp_path / f"{n}.db"
        path.write_bytes(damaged)
        readable += account_of(path) is not None
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
    assert readable > 100, "one byte costs one request, not the file"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("queue", "'elsewhere'"),
        ("status", "3"),
        ("status", "4"),
        ("priority", "0"),
        ("tenant", "'umbra'"),
        ("ready", "9000000000000000000"),
        ("place", "1"),
        ("attempt", "9"),
        ("max_attempts", "1"),
        ("deadline", "1"),
        ("lease_until", "9"),
        ("owner", "5"),
        ("key", "'k'"),
        ("size", "0"),
        ("tokens", "7"),
        ("enqueued", "5"),
        ("history", "'[]'"),
        ("payload", "x'00'"),
        ("is_json", "0"),
        ("payload", "NULL"),
    ],
)
def test_whatever_is_decided_upon_is_summed(column: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    q = RequestQueue(f"sqlite:///{path}")
    ids = q.put_many([{"n": n} for n in range(3)])
    q.close()
    del q
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE requests SET {column} = {value} WHERE id = 2")
    connection.commit()
    connection.close()
    q = RequestQueue(f"sqlite:///{path}")
    assert [job.payload["n"] for job in q.get_many(5, timeout=5)] == [0, 2]
    (letter,) = q.dead()
    assert letter["id"] == ids[1]
    assert "damaged" in letter["reason"]
    with pytest.raises(headrace.RequestFailed, match="damaged"):
        q.result(ids[1], timeout=1)


def test_a_file_of_the_version_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(OLD, path)
    kept: dict[str, Any] = {"keep_results_seconds": 3e8, "keep_keys_seconds": 3e8}
    q = RequestQueue(f"sqlite:///{path}", name="old", **kept)
    ids = [f"{n:016x}" for n in range(1, 9)]
    states = ["done", "leased", "dead", "waiting", "waiting", "waiting", "scheduled", "cancelled"]
    assert [q.status(request) for request in ids] == states
    assert q.result(ids[0], timeout=5) == {"answer": 42}
    assert q.put("again", key="once") == ids[0]
    assert q.put("again", key="k") == ids[5]
    (letter,) = q.dead()
    assert (letter["payload"], letter["reason"]) == (b"bad", "broken")
    jobs = q.get_many(9, timeout=5)
    found = [(job.payload, job.tenant, job.priority, job.attempt) for job in jobs]
    assert sorted(found, key=str) == [
        ({"n": 2}, "acme", "normal", 2),
        ({"n": 3}, "umbra", "low", 1),
        ({"n": 4}, "default", "critical", 1),
    ]
    assert q.put("new") == "000000000000000a"
    assert RequestQueue(f"sqlite:///{path}", name="other").get(timeout=5).payload == "elsewhere"


def test_a_damaged_row_of_the_version_before_is_a_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(OLD, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE requests SET payload = x'7b7d' WHERE id = 6")
    connection.commit()
    connection.close()
    q = RequestQueue(f"sqlite:///{path}", name="old")
    assert sorted(letter["id"] for letter in q.dead()) == [f"{3:016x}", f"{6:016x}"]
    assert len(q.get_many(9, timeout=5)) == 2
