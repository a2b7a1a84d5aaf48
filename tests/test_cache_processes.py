"""Several processes on one cache file: what one does holds for the others."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import headrace
import numpy as np
import pytest
from headrace import SemanticCache

DATA = Path(__file__).parent / "data"


def serve(url: str, calls: Any) -> None:
    """Runs in another process: does to a cache what it is told, and sends what came of it."""
    cache = SemanticCache(url=url, guards=False)
    while (call := calls.recv()) is not None:
        name, arguments, keywords = call
        result = len(cache) if name == "len" else getattr(cache, name)(*arguments, **keywords)
        calls.send(result)


class Other:
    """A cache in another process."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._calls, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(url, theirs), daemon=True)
        self._process.start()

    def __call__(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        self._calls.send((name, arguments, keywords))
        assert self._calls.poll(100), f"no answer to {name}"
        return self._calls.recv()

    def close(self) -> None:
        self._calls.send(None)
        self._process.join(60)
        assert self._process.exitcode == 0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cache.db'}"


@pytest.fixture
def other(url: str) -> Iterator[Other]:
    made = Other(url)
    yield made
    made.close()


def until(look: Callable[[], bool]) -> None:
    """Waits for what another process changed: it is known to lookups that begin 5 ms later."""
    done = threading.Event()
    for _ in range(3000):
        if look():
            return
        done.wait(0.01)
    raise AssertionError("what the other process did is not known after 30 s")


def test_what_one_process_does_the_others_know(url: str, other: Other) -> None:
    cache = SemanticCache(url=url, guards=False)
    cache.put("p", 1, tags=["t"], embedding=[1.0, 0.0])
    until(lambda: other("get", "p") is not None)
    assert other("get", "q", embedding=[1.0, 0.1]).response == 1
    other("put", "p", 2, tags=["t"], embedding=[0.0, 1.0])
    until(lambda: cache.get("p").response == 2)  # type: ignore[union-attr]
    assert cache.get("q", embedding=[1.0, 0.0], threshold=0.9) is None
    hit = other("get", "p")
    other("feedback", hit, correct=False)
    until(lambda: cache.get("p") is None)
    assert "feedback" in cache.explain("p", embedding=[0.0, 1.0])[0].blocked[0]


@pytest.mark.parametrize("how", [{"tag": "t"}, {"tenant": "acme"}, {"scope": "s"}, {"older_than": 0}, None])
def test_what_is_erased_is_served_by_nobody_and_leaves_no_byte(
    tmp_path: Path, url: str, other: Other, how: dict[str, Any] | None
) -> None:
    keep = {"tags": ["t"], "tenant": "acme", "scope": "s"}
    secret = "a person's own question"
    asked = {"tenant": "acme", "scope": "s"}
    assert other("len") == 0
    cache = SemanticCache(url=url, guards=False)
    # The other process does not look between its own puts and ours.
    for number in range(50):
        other("put", f"{secret} {number}", f"{secret} " * number, **keep)
        cache.put(f"{secret} too {number}", f"{secret} " * number, **keep)
    if how is not None and "older_than" not in how:
        cache.put("stays", 1)
    dropped = other("clear") if how is None else other("invalidate", **how)
    assert dropped in (None, 100)
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert secret.encode() not in left
    assert b"acme" not in left
    until(lambda: cache.get(f"{secret} too 1", **asked) is None)
    assert cache.get(f"{secret} 1", **asked) is None
    assert len(SemanticCache(url=url)) == len(cache) == other("len")


def test_four_processes_put_at_once_and_all_know_all(url: str) -> None:
    others = [Other(url) for _ in range(4)]
    for round_ in range(10):
        for number, process in enumerate(others):
            process._calls.send(("put", (f"p{number}-{round_}", number), {}))
        for process in others:
            assert process._calls.poll(100)
            process._calls.recv()
    for process in others:
        until(lambda process=process: process("len") == 40)
        process.close()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_and_its_parent_know_of_each_other(url: str) -> None:
    cache = SemanticCache(url=url)
    cache.put("before", 1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if cache.get("before") is not None and cache.get_or_compute("mine", lambda: "child's") == "child's":
                code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    until(lambda: cache.get("mine") is not None)


def test_damage_is_a_miss(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    cache = SemanticCache(guards=False)
    rows = np.eye(30, dtype=np.float32)
    cache.put_many([f"p{i}" for i in range(30)], [f"answer {i}" for i in range(30)], embeddings=rows)
    cache.save(whole)
    content = whole.read_bytes()
    misses = 0
    for place in range(0, len(content), len(content) // 150):
        spoilt = tmp_path / f"spoilt{place}.db"
        changed = bytearray(content)
        changed[place] ^= 0x41
        spoilt.write_bytes(changed)
        try:
            again = SemanticCache(url=f"sqlite:///{spoilt}", guards=False)
            for number in range(30):
                hit = again.get(f"p{number}")
                misses += hit is None
                assert hit is None or hit.response == f"answer {number}"
                near = again.get("near", embedding=rows[number], threshold=0.99)
                assert near is None or near.response == f"answer {number}"
            again.explain("p1", embedding=rows[1])
            again.stats()
            again.put("new", 1)
        except headrace.StoreError:
            continue
    assert misses > 0


def test_save_onto_its_own_file_and_beside_files_of_others(tmp_path: Path) -> None:
    own = tmp_path / "cache.db"
    notes = tmp_path / "cache.unfinished"
    notes.write_text("mine")
    cache = SemanticCache(url=f"sqlite:///{own}")
    cache.put("p", 1)
    assert cache.save(own) == 1
    assert cache.save(tmp_path / "copy.db") == 1
    shutil.copy(tmp_path / "copy.db", tmp_path / "moved.db")
    for name in ("copy.db", "moved.db"):
        assert SemanticCache.load(tmp_path / name).get("p") is not None
    cache.put("q", 2)
    del cache
    assert len(SemanticCache(url=f"sqlite:///{own}")) == 2
    assert notes.read_text() == "mine"
    with pytest.raises(headrace.StoreError, match=r"cache\.unfinished"):
        SemanticCache().save(notes)
    assert notes.read_text() == "mine"


def test_a_file_of_the_first_version_opens(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    shutil.copy(DATA / "cache_v1.db", path)
    for _ in range(2):
        cache = SemanticCache(url=f"sqlite:///{path}", guards=False)
        assert len(cache) == 4
        hit = cache.get("Please: what is scope 2?", embedding=[0.6, 0.8])
        assert hit is not None
        assert hit.response == "Purchased energy."
        assert cache.get("And scope 3?", scope={"temperature": 0, "model": "m"}, tenant="acme") is not None
        del cache
