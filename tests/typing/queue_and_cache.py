"""A user's file that touches all of the queue and the cache. It is checked by mypy and pyright, and never run."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from headrace import (
    CacheHit,
    CircularComputation,
    Client,
    EmbeddingError,
    Explanation,
    Lease,
    LeaseLost,
    Priority,
    QueueClosed,
    QueueFull,
    RequestCancelled,
    RequestFailed,
    RequestQueue,
    SemanticCache,
    StoreError,
    Timeout,
    embedders,
    scope,
    verifiers,
)
from headrace.cache import CacheStats, Calibration, Explanations
from headrace.doctor import DamagedRow, FileReport, RoomReport, examine
from headrace.embedders import ProviderEmbedder, StaticEmbedder, as_rows
from headrace.guards import Guards, Verdict, guards
from headrace.llm_verifier import LlmVerifier
from headrace.queue import DeadLetter, DurationSummary, Failure, QueueStats, limit_rules
from headrace.verifiers import CallableVerifier, LocalVerifier
from typing_extensions import assert_type


def produce() -> list[str]:
    queue = RequestQueue(
        "sqlite:///requests.db",
        name="reports",
        max_size=10_000,
        max_bytes=1 << 30,
        lease_seconds=timedelta(minutes=1),
        limits={"concurrency": 8, "tenant": {"*": {"requests_per_minute": 60}}},
        weights={"audit": 2},
    )
    first = queue.put({"question": "scope 1?"}, priority=Priority.HIGH, tenant="audit", delay=1.5, key="q-1")
    assert_type(first, str)
    ids = queue.put_many(["a", b"b", 3], priority="low", deadline=timedelta(hours=1), timeout=5)
    assert_type(ids, list[str])
    assert_type(queue.status(first), str)
    assert_type(queue.cancel(first), bool)
    queue.pause()
    queue.resume()
    queue.drain(timeout=10)
    stats: QueueStats = queue.stats()
    waits: DurationSummary = stats["wait"]
    print(len(queue), queue.url, queue.name, stats["by_status"], waits["p95"], limit_rules({"concurrency": 1}))
    for letter in queue.dead():
        told: DeadLetter = letter
        failures: tuple[Failure, ...] = told["history"]
        print(told["id"], told["reason"], [failure["error"] for failure in failures])
        queue.requeue(told["id"])
    answer: Any = queue.result(first, timeout=30)
    queue.close()
    return [*ids, str(answer)]


def consume(queue: RequestQueue) -> None:
    try:
        with queue.get(timeout=1) as job:
            assert_type(job, Lease)
            assert_type(job.enqueued_at, datetime)
            print(job.id, job.payload, job.priority, job.tenant, job.attempt, job.waited)
            job.extend(30)
            job.ack({"answer": 42})
        for lease in queue.get_many(10, timeout=0.1):
            lease.nack("try again", delay=2, retry=True)
    except (Timeout, LeaseLost, QueueClosed, QueueFull, RequestFailed, RequestCancelled, StoreError) as error:
        print(error)


async def consume_with_asyncio(queue: RequestQueue) -> None:
    id = await queue.aput("a question", priority=0)
    ids = await queue.aput_many(["one", "two"], tenant="audit")
    async with await queue.aget(timeout=1) as job:
        await job.aextend(timedelta(seconds=30))
        await job.aack("done")
    for lease in await queue.aget_many(5):
        await lease.anack(ValueError("no"), delay=1)
    assert_type(await queue.astatus(id), str)
    print(await queue.aresult(id, timeout=1), await queue.acancel(ids[0]), await queue.adead(), await queue.astats())
    await queue.arequeue(id)
    await queue.apause()
    await queue.aresume()
    await queue.adrain(1)


def remember(cache: SemanticCache) -> str | None:
    key = cache.put("scope 1?", {"value": 12}, scope="v1", tenant="audit", tags=["csrd"], ttl=3600, cost="0.01")
    hit = cache.get("scope 1?", scope={"model": "gpt-4o"}, threshold=0.9)
    assert_type(hit, CacheHit | None)
    if hit is not None:
        print(hit.response, hit.kind, hit.similarity, hit.prompt, hit.key, hit.age, hit.saved_cost, hit.is_stale)
        print(hit.hits, hit.to_dict())
        cache.feedback(hit, correct=False)
    vectors: npt.NDArray[np.float32] = embedders.static()(["a", "b"])
    keys = cache.put_many(["a", "b"], ["1", "2"], embeddings=vectors)
    found: list[CacheHit | None] = cache.get_many(["a", "b"])
    value = cache.get_or_compute("why?", lambda: "because", ttl=timedelta(days=1))
    why: Explanations = cache.explain("scope 1?")
    for one in why:
        assert_type(one, Explanation)
        print(one.key, one.prompt, one.similarity, one.serves, one.blocked, one.to_dict(), why.in_other_scopes)
    learned: Calibration = cache.calibrate([("a", "b", True)], max_error_rate=0.01)
    print(learned.threshold, learned.error_rate, cache.threshold, cache.dimension, keys, found, value, len(cache))
    counted: CacheStats = cache.stats()
    print(
        counted["exact_hits"],
        key is not None and cache.delete(key),
        cache.invalidate(tag="csrd"),
        cache.purge_expired(),
    )
    cache.compact()
    cache.clear()
    print(cache.save(Path("cache.db")), len(SemanticCache.load("cache.db", embedders.static())))
    print(SemanticCache.scope_of, scope([{"role": "user", "content": "scope 1?"}], model="gpt-4o"))
    return key


async def remember_with_asyncio(cache: SemanticCache) -> None:
    key = await cache.aput("a", "1")
    hit = await cache.aget("a")
    assert_type(hit, CacheHit | None)
    if hit is not None:
        await cache.afeedback(hit, correct=True)
    print(await cache.aput_many(["a"], ["1"]), await cache.aget_many(["a"]), await cache.aexplain("a"))

    async def compute() -> str:
        return "because"

    try:
        print(await cache.aget_or_compute("why?", compute))
    except (CircularComputation, EmbeddingError) as error:
        print(error)
    print(
        await cache.acalibrate([("a", "b", True)], 0.01),
        key is not None and await cache.adelete(key),
        await cache.ainvalidate(tenant="a"),
    )
    print(await cache.apurge_expired(), await cache.asave("cache.db"), len(await SemanticCache.aload("cache.db")))
    await cache.acompact()
    await cache.aclear()


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    static: StaticEmbedder = embedders.static()
    print(static.dimension, static.name, embedders.minilm()(list(texts)), embedders.onnx("folder"))
    remote: ProviderEmbedder = embedders.openai(api_key="sk-...")
    print(remote, SemanticCache(remote), SemanticCache(lambda asked: [[1.0, 0.0] for _ in asked]))
    return as_rows([[1.0, 0.0]], 1)


def compare() -> bool:
    rules: Guards = guards(terms={"framework": ["TNFD", "SBTN"]})
    verdict: Verdict = rules.compare("scope 1?", "scope 2?")
    print(verdict.passed, verdict.agreement, verdict.reason, rules.describe("scope 1 in 2023"))
    return bool(verdict)


def verify(client: Client, pairs: list[tuple[str, str]]) -> list[bool | float | None]:
    own: CallableVerifier = verifiers.callable(lambda asked: [None for _ in asked], timeout=1, same_at=0.8, name="own")
    model: LlmVerifier = verifiers.llm(client, model="openai/gpt-4o-mini", budget="5.00", mode="later", first=own)
    local: LocalVerifier = verifiers.local("verifier.safetensors")
    print(model.name, model.drain(1), local.name, local(pairs))
    cache = SemanticCache(verifier=[local, own, model])
    hit = cache.get("why?")
    print(cache.verifiers, hit and hit.verified, cache.explain("why?")[0].judges, cache.stats()["verifier_cost"])
    near: Explanations = client.explain("openai/gpt-4o-mini", "why?", tenant="a", limit=3, temperature=0)
    print(near.in_other_scopes)
    return [True for _ in pairs]


async def verify_async(client: Client, model: LlmVerifier) -> None:
    print(await client.aexplain("openai/gpt-4o-mini", "why?"), await model.adrain())


def look() -> None:
    report: FileReport = examine("requests.db")
    rooms: list[RoomReport] = report["rooms"]
    damaged: list[DamagedRow] | None = rooms[0]["damaged"]
    print(report["sound"], damaged)
