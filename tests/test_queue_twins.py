"""Every method of the queue that waits has an asyncio twin, with the same parameters; none of them blocks its loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headrace
import pytest
from headrace import Lease, LeaseLost, RequestQueue
from redis_server import redis_server

# What gives an answer at once, without a disk or a wait.
AT_ONCE = {"url", "name", "close"}
PROPERTIES = {"id", "payload", "priority", "tenant", "attempt", "enqueued_at", "waited"}


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "redis":
        with redis_server(tmp_path) as url:
            yield url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/queue.db"


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def parameters(method: Any) -> list[inspect.Parameter]:
    """Without `self`."""
    return list(inspect.signature(method).parameters.values())[1:]


@pytest.mark.parametrize(("kind", "without"), [(RequestQueue, AT_ONCE), (Lease, PROPERTIES)])
def test_the_twins(kind: type, without: set[str]) -> None:
    names = public(kind) - without
    plain = {name for name in names if f"a{name}" in names or name[0] != "a" or name == "ack"}
    assert plain == {name for name in plain if f"a{name}" in names}, "each has its twin"
    for name in plain:
        one, other = getattr(kind, name), getattr(kind, f"a{name}")
        assert inspect.iscoroutinefunction(other), name
        for left, right in zip(parameters(one), parameters(other), strict=True):
            assert (left.name, left.kind) == (right.name, right.kind), name
            assert (left.default is inspect.Parameter.empty) == (right.default is inspect.Parameter.empty), name


@pytest.mark.parametrize("kind", [RequestQueue, Lease])
def test_each_says_what_it_does(kind: type) -> None:
    for name in public(kind):
        assert (getattr(kind, name).__doc__ or "").strip(), name


def test_a_life_on_an_event_loop(url: str) -> None:
    q = RequestQueue(url, max_attempts=2)

    async def main() -> None:
        request = await q.aput({"n": 1})
        (job,) = await q.aget_many(5, timeout=5)
        await job.aextend(60)
        await job.anack("busy", delay=0)
        with pytest.raises(LeaseLost):
            await job.aack()
        with pytest.raises(RuntimeError, match="broken"):
            async with await q.aget(timeout=5):
                raise RuntimeError("broken")
        assert await q.astatus(request) == "dead"
        (letter,) = await q.adead()
        assert [failure["error"] for failure in letter["history"]] == ["busy", "RuntimeError: broken"]
        await q.arequeue(request)
        async with await q.aget(timeout=5) as job:
            assert job.payload == {"n": 1}
        assert await q.astatus(request) == "done"
        job = await answered(q, "second")
        assert await q.aresult(job.id, timeout=5) == [1]
        third = await q.aput("third")
        assert await q.acancel(third)
        assert not await q.acancel(third)
        await q.apause()
        await q.aput("fourth")
        with pytest.raises(headrace.Timeout):
            await q.aget(timeout=0)
        assert (await q.astats())["paused"]
        await q.aresume()
        async with await q.aget(timeout=5) as job:
            await job.aack("inside")
        await q.adrain(timeout=5)

    asyncio.run(main())


async def answered(q: RequestQueue, payload: Any) -> Lease:
    await q.aput(payload)
    job = await q.aget(timeout=5)
    await job.aack([1], tokens=7)
    return job


def test_a_twin_is_a_coroutine_that_runs_by_itself() -> None:
    q = RequestQueue()
    asyncio.run(q.aput("x"))
    job = asyncio.run(q.aget())
    asyncio.run(job.aack("done"))
    assert asyncio.run(q.aresult(job.id)) == "done"


@pytest.mark.parametrize("end", ["aack", "anack", "aextend"])
def test_a_lease_whose_time_is_over_is_lost(url: str, end: str) -> None:
    q = RequestQueue(url, lease_seconds=0.05)
    q.put("x")
    first = q.get(timeout=5)
    second = q.get(timeout=5)
    assert second.attempt == 2
    arguments = (1,) if end == "aextend" else ()
    with pytest.raises(LeaseLost):
        asyncio.run(getattr(first, end)(*arguments))
