"""The semantic cache through its Python surface."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import headrace
import numpy as np
import pytest
from headrace import EmbeddingError, SemanticCache
from hypothesis import given, settings
from hypothesis import strategies as st


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(value=VALUES | st.binary(), prompt=st.text(min_size=1))
def test_a_response_comes_back_as_it_went_in(value: Any, prompt: str) -> None:
    cache = SemanticCache()
    cache.put(prompt, value)
    hit = cache.get(prompt)
    assert hit is not None
    assert hit.response == value
    assert (hit.kind, hit.similarity, hit.prompt) == ("exact", 1.0, prompt)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_finds_what_numpy_finds(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    count, dimension = data.draw(st.integers(1, 400)), data.draw(st.integers(2, 70))
    threshold = data.draw(st.floats(-0.5, 0.95))
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dimension)).astype(np.float32) + data.draw(st.sampled_from([0.0, 2.0]))
    queries = rows[rng.integers(0, count, 20)] + 0.5 * rng.standard_normal((20, dimension)).astype(np.float32)
    cache = SemanticCache(threshold=threshold, guards=False)
    cache.put_many([f"p{i}" for i in range(count)], list(range(count)), embeddings=rows)
    cosines = np.array([unit(*q).astype(float) for q in queries]) @ np.array([unit(*r).astype(float) for r in rows]).T
    together = cache.get_many([f"q{i}" for i in range(20)], embeddings=queries)
    for query, expected, many in zip(queries, cosines, together, strict=True):
        hit = cache.get("q", embedding=query)
        if abs(expected.max() - threshold) < 1e-5:
            continue
        assert (hit is not None) == (expected.max() >= threshold) == (many is not None)
        if hit is not None and many is not None:
            assert hit.similarity == pytest.approx(expected.max(), abs=1e-5) == many.similarity
            assert expected[hit.response] == pytest.approx(expected.max(), abs=1e-5)


class TestPartition:
    def test_neither_tenant_nor_scope_is_crossed(self) -> None:
        cache = SemanticCache(guards=False)
        vector = unit(1, 2, 3)
        scopes: list[Any] = [None, "", "m", {"model": "m"}, {"model": "m", "t": 0}, [], [None], 0, False]
        for tenant in ("a", "b", ""):
            for i, scope in enumerate(scopes):
                cache.put("q", [tenant, i], embedding=vector, scope=scope, tenant=tenant)
        assert len(cache) == 3 * len(scopes)
        for tenant in ("a", "b", ""):
            for i, scope in enumerate(scopes):
                for prompt in ("q", "another"):
                    hit = cache.get(prompt, embedding=vector, scope=scope, tenant=tenant)
                    assert hit is not None
                    assert hit.response == [tenant, i]
        assert cache.get("another", embedding=vector, tenant="c") is None

    def test_order_of_keys_in_a_scope_does_not_matter(self) -> None:
        cache = SemanticCache()
        cache.put("q", 1, scope={"a": 1, "b": {"c": 2, "d": 3}})
        assert cache.get("q", scope={"b": {"d": 3, "c": 2}, "a": 1}) is not None

    def test_scope_of_a_conversation(self) -> None:
        said = {"role": "assistant", "content": "Hello."}
        turns = [{"role": "system", "content": "Be brief."}, said, {"role": "user", "content": "And scope 2?"}]
        prompt, where = headrace.scope(turns, model="m", temperature=0)
        assert prompt == "And scope 2?"
        assert where == SemanticCache.scope_of(turns, model="m", temperature=0)[1]
        swapped = [turns[0], {**said, "role": "user"}, turns[2]]
        assert headrace.scope(swapped, model="m", temperature=0)[1] != where
        assert headrace.scope(turns, model="m", temperature=1)[1] != where
        with pytest.raises(ValueError, match="user"):
            headrace.scope([said])


class TestBadInput:
    @pytest.mark.parametrize(
        "bad",
        [
            np.zeros(8),
            np.full(8, np.nan),
            np.full(8, np.inf),
            np.full(8, 1e300),
            np.full(8, 1e-42),
            np.ones(9),
            np.ones((2, 8)),
            np.array([]),
            np.float32(1.0),
        ],
    )
    def test_a_bad_embedding_changes_nothing(self, bad: Any) -> None:
        cache = SemanticCache()
        cache.put("good", "g", embedding=np.ones(8, dtype=np.float32))
        before = cache.stats()
        for call in (
            lambda: cache.put("bad", "b", embedding=bad),
            lambda: cache.put_many(["x", "y"], [1, 2], embeddings=[[1.0] * 8, bad]),
            lambda: cache.get("bad", embedding=bad),
            lambda: cache.get("good", embedding=bad),
            lambda: cache.explain("bad", embedding=bad),
        ):
            with pytest.raises((EmbeddingError, TypeError)):
                call()
        assert cache.stats() == before

    def test_views_and_lists_and_doubles_are_taken(self) -> None:
        cache = SemanticCache(guards=False)
        cache.put("p", 1, embedding=[1, 2, 3])
        wide = np.arange(1, 13, dtype=np.float32).reshape(3, 4).T
        for vector in ([1.0, 2.0, 3.0], np.array([1.0, 2.0, 3.0]), np.array([3, 2, 1], dtype=np.float32)[::-1]):
            hit = cache.get("q", embedding=vector)
            assert hit is not None
            assert hit.similarity == pytest.approx(1, abs=1e-6)
        assert [hit and hit.similarity for hit in cache.get_many(embeddings=wide)] == [
            hit and hit.similarity for hit in cache.get_many(embeddings=np.ascontiguousarray(wide))
        ]

    def test_an_empty_prompt_is_a_miss_and_not_stored(self) -> None:
        cache = SemanticCache()
        assert cache.put("", 1, embedding=[1.0, 0.0]) is None
        assert len(cache) == 0
        assert cache.get("") is None
        cache.put("p", 1, embedding=[1.0, 0.0])
        assert cache.get("", embedding=[1.0, 0.0]) is None

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"threshold": 1.5}, headrace.ConfigError),
            ({"threshold": float("nan")}, headrace.ConfigError),
            ({"max_entries": 0}, headrace.ConfigError),
            ({"max_error_rate": 2.0}, ValueError),
            ({"ttl": -1}, ValueError),
            ({"ttl": float("inf")}, ValueError),
            ({"ttl": "1 s"}, TypeError),
            ({"guards": "yes"}, TypeError),
            ({"url": "s3://x"}, headrace.ConfigError),
            ({"embedder": 3}, headrace.ConfigError),
        ],
    )
    def test_settings_out_of_range(self, settings: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error):
            SemanticCache(**settings)

    def test_lengths_must_agree(self) -> None:
        cache = SemanticCache()
        with pytest.raises(ValueError, match="2 prompts and 1 responses"):
            cache.put_many(["a", "b"], [1])
        with pytest.raises(ValueError, match="embeddings"):
            cache.put_many(["a", "b"], [1, 2], embeddings=np.ones((3, 4)))
        with pytest.raises(TypeError):
            cache.get_many()


class TestLife:
    def test_ttl_and_staleness(self) -> None:
        cache = SemanticCache(ttl=timedelta(seconds=0.05), stale_while_revalidate=60)
        cache.put("p", 1)
        fresh = cache.get("p")
        assert fresh is not None
        assert not fresh.is_stale
        time.sleep(0.06)
        stale = cache.get("p")
        assert stale is not None
        assert stale.is_stale
        assert cache.get_or_compute("p", lambda: 2) == 1
        for _ in range(200):
            if cache.get_or_compute("p", lambda: 3) != 1:
                break
            time.sleep(0.01)
        assert cache.get_or_compute("p", lambda: 4) in (2, 3)

    def test_an_expired_entry_is_gone(self) -> None:
        cache = SemanticCache(guards=False)
        cache.put("p", 1, ttl=0, embedding=[1.0, 0.0])
        assert "expiry" in cache.explain("p", embedding=[1.0, 0.0])[0].blocked[0]
        assert cache.get("q", embedding=[1.0, 0.0]) is None
        assert len(cache) == 0
        cache.put("r", 1, ttl=0)
        assert cache.purge_expired() == 1

    def test_bounds_hold(self) -> None:
        cache = SemanticCache(max_entries=50)
        for i in range(500):
            cache.put(f"p{i}", i, embedding=np.random.default_rng(i).standard_normal(16))
        assert len(cache) == 50
        assert cache.get("p499") is not None
        small = SemanticCache(max_bytes=20_000)
        for i in range(100):
            small.put(f"p{i}", "x" * 1000)
        assert 0 < small.stats()["bytes"] <= 20_000
        assert small.put("huge", "x" * 30_000) is not None
        assert small.get("huge") is None

    def test_eviction_keeps_what_saves_most(self) -> None:
        cache = SemanticCache(max_entries=100)
        for i in range(50):
            cache.put(f"dear{i}", i, cost=Decimal("0.10"))
        for i in range(500):
            cache.put(f"cheap{i}", i, cost=Decimal("0.0001"))
        assert sum(cache.get(f"dear{i}") is not None for i in range(50)) >= 45

    def test_tags_tenants_and_delete(self) -> None:
        cache = SemanticCache()
        key = cache.put("a", 1, tags=["x"], embedding=[1.0, 0.0])
        cache.put("b", 2, tags=["x", "y"], tenant="t")
        cache.put("c", 3, scope={"m": 1})
        with pytest.raises(ValueError, match="tenant"):
            cache.invalidate()
        assert cache.invalidate(tag="x", tenant="t") == 1
        assert cache.invalidate(scope={"m": 1}) == 1
        assert cache.invalidate(older_than=3600) == 0
        assert key is not None
        assert cache.delete(key)
        assert not cache.delete(key)
        assert len(cache) == 0
        with pytest.raises(ValueError, match="64 hexadecimal"):
            cache.delete("nonsense")

    def test_clear_allows_another_dimension(self) -> None:
        cache = SemanticCache(guards=False)
        cache.put("a", 1, embedding=[1.0, 0.0])
        cache.clear()
        cache.put("a", 1, embedding=[1.0, 0.0, 0.0])
        assert cache.get("b", embedding=[1.0, 0.0, 0.0]) is not None

    def test_a_put_replaces(self) -> None:
        cache = SemanticCache(guards=False)
        cache.put("a", 1, embedding=[1.0, 0.0])
        cache.put("a", 2, embedding=[0.0, 1.0])
        assert len(cache) == 1
        assert cache.get("q", embedding=[1.0, 0.0]) is None
        hit = cache.get("q", embedding=[0.0, 1.0])
        assert hit is not None
        assert hit.response == 2

    def test_cost_is_exact(self) -> None:
        cache = SemanticCache()
        cache.put("p", 1, cost=Decimal("0.000000000000000001"))
        hit = cache.get("p")
        assert hit is not None
        assert hit.saved_cost == Decimal("1e-18")
        with pytest.raises(ValueError, match="cost"):
            cache.put("p", 1, cost="-1")


class TestGuardsAndLearning:
    def test_explain_says_what_blocks(self) -> None:
        cache = SemanticCache(threshold=0.5)
        cache.put("Scope 1 emissions in 2023?", 1, embedding=[1.0, 0.0])
        cache.put("Water use?", 2, embedding=[0.0, 1.0])
        year, water = cache.explain("Scope 1 emissions in 2024?", embedding=[1.0, 0.1])
        assert not year.serves
        assert "2023" in str(year)
        assert "2024" in str(year)
        assert any("threshold" in reason for reason in water.blocked)
        assert cache.get("Scope 1 emissions in 2024?", embedding=[1.0, 0.1]) is None
        assert cache.stats()["blocked"] == 1

    def test_the_next_candidate_serves(self) -> None:
        cache = SemanticCache(threshold=0.5)
        cache.put("Scope 1 emissions in 2023?", "no", embedding=[1.0, 0.0])
        cache.put("Scope 1 emissions in 2024?", "yes", embedding=[1.0, 0.5])
        hit = cache.get("scope 1 emissions in 2024", embedding=[1.0, 0.0])
        assert hit is not None
        assert hit.response == "yes"

    def test_a_wrong_entry_stops_being_served(self) -> None:
        cache = SemanticCache(guards=False)
        cache.put("p", 1, embedding=[1.0, 0.0])
        hit = cache.get("q", embedding=[1.0, 0.1])
        assert hit is not None
        cache.feedback(hit, correct=False)
        assert cache.get("q", embedding=[1.0, 0.1]) is None
        assert cache.get("p") is None
        cache.put("p", 2, embedding=[1.0, 0.0])
        assert cache.get("q", embedding=[1.0, 0.1]) is not None

    def test_a_learned_policy_serves_when_the_evidence_is_there(self) -> None:
        cache = SemanticCache(max_error_rate=0.05, guards=False)
        cache.put("p", "answer", embedding=[1.0, 0.0])
        assert cache.get("q0", embedding=[1.0, 0.01]) is None
        for i in range(400):
            if cache.get(f"q{i}", embedding=[1.0, 0.01]) is None:
                cache.put(f"q{i}", "answer")
        served = sum(cache.get(f"r{i}", embedding=[1.0, 0.01]) is not None for i in range(100))
        assert served > 85

    def test_calibrate(self) -> None:
        embedder = headrace.embedders.static()
        cache = SemanticCache(embedder, guards=False)
        pairs = [(f"What is scope {i}?", f"What is scope {i}", True) for i in range(400)]
        pairs += [(f"What is scope {i}?", f"How warm is a mug {i}?", False) for i in range(400)]
        found = cache.calibrate(pairs, max_error_rate=0.02)
        assert found.threshold is not None
        assert found.interval[0] <= found.error_rate <= found.interval[1] <= 0.03
        assert found.pairs == 800
        with pytest.raises(headrace.ConfigError, match="embedder"):
            SemanticCache().calibrate(pairs)


class TestEmbedder:
    def test_any_callable(self) -> None:
        def embed(texts: list[str]) -> np.ndarray:
            return np.array([[len(text), 1.0] for text in texts])

        cache = SemanticCache(embed, guards=False)
        cache.put_many(["aaaa", "a"], [4, 1])
        assert [hit and hit.response for hit in cache.get_many(["bbbb", "b", "bbbb"])] == [4, 1, 4]

    def test_an_async_one(self) -> None:
        async def embed(texts: list[str]) -> list[list[float]]:
            await asyncio.sleep(0)
            return [[len(text), 1.0] for text in texts]

        async def main() -> None:
            cache = SemanticCache(embed, guards=False)
            await cache.aput("aaaa", 4)
            hit = await cache.aget("bbbb")
            assert hit is not None
            assert hit.response == 4

        asyncio.run(main())

    def test_a_failing_one(self) -> None:
        def embed(texts: list[str]) -> np.ndarray:
            raise RuntimeError("no power")

        cache = SemanticCache(embed)
        with pytest.raises(EmbeddingError, match="no power"):
            cache.put("p", 1)
        assert len(cache) == 0


class TestCompute:
    def test_threads_share_one_computation(self) -> None:
        cache, calls, started = SemanticCache(), [], threading.Barrier(20)

        def slow() -> dict[str, int]:
            calls.append(1)
            time.sleep(0.1)
            return {"n": len(calls)}

        results: list[Any] = []

        def ask() -> None:
            started.wait()
            results.append(cache.get_or_compute("p", slow))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [{"n": 1}] * 20
        assert len(calls) == 1

    def test_tasks_and_a_thread_share_one_computation(self) -> None:
        cache, calls = SemanticCache(), []

        async def slow(prompt: str) -> str:
            calls.append(prompt)
            await asyncio.sleep(0.1)
            return prompt.upper()

        async def main() -> list[Any]:
            tasks = [cache.aget_or_compute("p", slow) for _ in range(20)]
            other = asyncio.to_thread(cache.get_or_compute, "p", lambda: "P")
            return await asyncio.gather(*tasks, other)

        assert asyncio.run(main()) == ["P"] * 21
        assert len(calls) <= 1

    def test_a_failure_reaches_all_and_nothing_is_stored(self) -> None:
        cache = SemanticCache()

        async def fails() -> None:
            await asyncio.sleep(0.05)
            raise LookupError("nothing there")

        async def main() -> list[Any]:
            return await asyncio.gather(*[cache.aget_or_compute("p", fails) for _ in range(5)], return_exceptions=True)

        assert [type(result) for result in asyncio.run(main())] == [LookupError] * 5
        assert len(cache) == 0
        assert cache.get_or_compute("p", lambda: 7) == 7

    def test_a_cancelled_leader_is_replaced(self) -> None:
        cache = SemanticCache()

        async def main() -> Any:
            leader = asyncio.create_task(cache.aget_or_compute("p", lambda: asyncio.sleep(30)))
            await asyncio.sleep(0.05)
            waiter = asyncio.create_task(cache.aget_or_compute("p", lambda: "mine"))
            await asyncio.sleep(0.05)
            leader.cancel()
            return await asyncio.wait_for(waiter, 5)

        assert asyncio.run(main()) == "mine"


EMBEDDERS = {"none": lambda: None, "static": headrace.embedders.static}


def _by_get(cache: SemanticCache, prompt: str) -> None:
    cache.get(prompt)


def _by_aget(cache: SemanticCache, prompt: str) -> None:
    asyncio.run(cache.aget(prompt))


def _by_get_many(cache: SemanticCache, prompt: str) -> None:
    cache.get_many([prompt])


def _by_compute(cache: SemanticCache, prompt: str) -> None:
    cache.get_or_compute(prompt, lambda: "an answer")


def _by_acompute(cache: SemanticCache, prompt: str) -> None:
    asyncio.run(cache.aget_or_compute(prompt, lambda: "an answer"))


def _client_of(cache: SemanticCache) -> headrace.Client:
    return headrace.Client(headrace.providers.Simulated(time_to_first_token=0), cache=cache)


def _by_chat(cache: SemanticCache, prompt: str) -> None:
    _client_of(cache).chat("simulated/echo", prompt)


def _by_stream(cache: SemanticCache, prompt: str) -> None:
    assert list(_client_of(cache).stream("simulated/echo", prompt))


@pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
@pytest.mark.parametrize("ask", [_by_get, _by_aget, _by_get_many, _by_compute, _by_acompute, _by_chat, _by_stream])
def test_each_question_counts_once(ask: Any, embedder: Any) -> None:
    """As a hit or as a miss, whichever way it is asked and whether or not there is an embedder."""
    cache = SemanticCache(embedder())
    prompt = "What does scope 2 cover?"
    ask(cache, prompt)
    assert (cache.stats()["exact_hits"], cache.stats()["misses"], cache.stats()["hit_rate"]) == (0, 1, 0)
    if ask in (_by_get, _by_aget, _by_get_many):
        cache.put(prompt, "an answer", cost="0.25")
    for hits in (1, 2, 3):
        ask(cache, prompt)
        stats = cache.stats()
        assert (stats["exact_hits"], stats["misses"], stats["hit_rate"]) == (hits, 1, hits / (hits + 1))


def test_what_a_hit_saved_counts_once() -> None:
    cache = SemanticCache()
    cache.put("a", "an answer", cost="0.25")
    for ask in (_by_get, _by_aget, _by_compute, _by_acompute):
        ask(cache, "a")
    assert cache.stats()["saved_cost"] == Decimal("1.00")


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Iterator[Path]:
        yield tmp_path / "cache.db"

    def test_save_and_load(self, path: Path) -> None:
        cache = SemanticCache(guards=False)
        rows = np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32)
        cache.put_many([f"p{i}" for i in range(300)], list(range(300)), embeddings=rows, tenant="t", scope=[1], cost=1)
        cache.put("bytes", b"\x00\xff", tags=["x"])
        assert cache.save(path) == 301
        again = SemanticCache.load(path, guards=False)
        assert len(again) == 301
        for i in (0, 63, 64, 299):
            hit = again.get("q", embedding=rows[i], tenant="t", scope=[1])
            assert hit is not None
            assert (hit.response, hit.saved_cost) == (i, 1)
        kept = again.get("bytes")
        assert kept is not None
        assert kept.response == b"\x00\xff"
        assert again.invalidate(tag="x") == 1
        with pytest.raises(headrace.StoreError):
            SemanticCache.load(path.with_name("missing.db"))
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(headrace.StoreError):
            SemanticCache.load(path)

    def test_a_durable_cache_opens_warm(self, path: Path) -> None:
        url = f"sqlite:///{path}"
        cache = SemanticCache(url=url, guards=False)
        cache.put("a", {"x": 1}, embedding=[1.0, 0.0], ttl=3600)
        cache.put("b", 2, embedding=[0.0, 1.0])
        cache.put("b", 3, embedding=[0.0, 1.0])
        cache.put("gone", 4)
        cache.put("late", 5, ttl=0)
        cache.invalidate(older_than=0, tag="none")
        key = cache.put("gone", 4)
        assert key is not None
        cache.delete(key)
        wrong = cache.get("a")
        assert wrong is not None
        del cache
        again = SemanticCache(url=url, guards=False)
        assert len(again) == 2
        hit = again.get("q", embedding=[0.0, 1.0])
        assert hit is not None
        assert hit.response == 3

    def test_after_a_purge_and_a_compaction_the_bytes_are_gone(self, path: Path) -> None:
        cache = SemanticCache(url=f"sqlite:///{path}")
        secret = "a person's own question"
        for i in range(200):
            cache.put(f"{secret} {i}", secret * 20, tenant="leaves")
            cache.put(f"stays {i}", "kept", tenant="stays")
        assert cache.invalidate(tenant="leaves") == 200
        cache.compact()
        left = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert secret.encode() not in left
        assert b"kept" in left
        assert len(SemanticCache(url=f"sqlite:///{path}")) == 200


def test_readers_and_writers_together() -> None:
    cache = SemanticCache(guards=False, max_entries=2000)
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3000, 32)).astype(np.float32)
    failures: list[str] = []
    stop = threading.Event()

    def read() -> None:
        own = np.random.default_rng()
        while not stop.is_set():
            i = int(own.integers(0, 3000))
            hit = cache.get("q", embedding=rows[i], threshold=0.999)
            if hit is not None and hit.response != i:
                failures.append(f"{i} gave {hit.response}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(3000):
        cache.put(f"p{i}", i, embedding=rows[i])
        if i % 3 == 0:
            cache.invalidate(tag="none")
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(cache) == 2000
