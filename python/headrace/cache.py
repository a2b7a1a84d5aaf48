"""The semantic cache: the compiled one, with its asyncio twins and with computing what is missing."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from headrace import _core
from headrace._core.cache import CacheHit, Calibration, Explanation, Explanations
from headrace._late import Late
from headrace.cache_flights import leading, waiting
from headrace.notebook import views

if TYPE_CHECKING:
    import asyncio
    import inspect

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self
else:
    asyncio, inspect = Late("asyncio"), Late("inspect")

__all__ = ["CacheHit", "CacheStats", "Calibration", "Explanation", "Explanations", "SemanticCache", "scope"]

Vector: TypeAlias = "npt.ArrayLike"
Duration = float | timedelta
Dollars = Decimal | int | float | str


class CacheStats(TypedDict):
    """What a cache counted since it was opened, as `SemanticCache.stats` returns it."""

    #: Entries held now.
    entries: int
    #: Bytes that they take in memory, estimated.
    bytes: int
    #: Pairs of tenant and scope that hold vectors.
    partitions: int
    #: Questions answered by the same prompt.
    exact_hits: int
    #: Questions answered by a similar prompt.
    semantic_hits: int
    #: Hits, among both, whose time was over.
    stale_hits: int
    #: Questions not answered.
    misses: int
    #: Candidates above the threshold that a guard or the policy kept from serving.
    blocked: int
    #: Entries stored.
    inserts: int
    #: Entries dropped to keep a bound.
    evictions: int
    #: Entries dropped because their time was over.
    expirations: int
    #: Entries that feedback called wrong.
    rejections: int
    #: Rows of the file that were damaged, and so are no entries.
    damaged: int
    #: Entries that the file or the server did not take: they serve no more.
    unkept: int
    #: Pairs of an asked and a stored question that a verifier has read: same, different and unsure together.
    verifications: int
    #: Pairs that a verifier found to be the same.
    verified_same: int
    #: Pairs that a verifier found to be different.
    verified_different: int
    #: Pairs of which every verifier was unsure.
    verified_unsure: int
    #: Hits, among the semantic ones, that a verifier had read.
    verified_hits: int
    #: How often a verifier failed or was late, so that its pairs were unsure.
    verifier_failures: int
    #: How often a verifier asked a model.
    verifier_calls: int
    #: Seconds that lookups waited for verifiers.
    verifier_seconds: float
    #: Dollars that the verifiers' requests cost.
    verifier_cost: Decimal
    #: Dollars that the verified hits saved, among what all hits saved.
    verified_saved_cost: Decimal
    #: The share of the questions that was answered, 0 to 1.
    hit_rate: float
    #: Dollars that the hits saved.
    saved_cost: Decimal


def scope(
    messages: Sequence[dict[str, Any]], *, model: str | None = None, **parameters: Any
) -> tuple[str, dict[str, Any]]:
    """The prompt and the scope of a conversation, for `SemanticCache.get` and `put`.

    The last user message is what is asked. All else must be equal for an answer to serve: the turns around it with
    their roles, the model, the parameters, tools.

    Args:
        messages: The conversation, as OpenAI's API takes it.
        model: The model that would be asked.
        **parameters: Whatever else changes the answer, as in ``temperature=0``.

    Raises:
        ValueError: There is no user message.

    Example:
        >>> prompt, where = scope([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
        >>> prompt
        'Hi'
        >>> where["before"]
        [{'content': 'Be brief.', 'role': 'system'}]
    """
    return _core.cache.scope_of(list(messages), model, parameters)


class SemanticCache(_core.cache.SemanticCache):
    """Answers by question: exact repeats, and similar questions that ask the same.

    Example:
        >>> cache = SemanticCache()
        >>> key = cache.put("What is scope 2?", "Purchased energy.", embedding=[0.6, 0.8])
        >>> cache.get("Please: what is scope 2?", embedding=[0.59, 0.81]).response
        'Purchased energy.'
        >>> cache.get("What is scope 2?", tenant="another") is None
        True
    """

    @staticmethod
    def scope_of(
        messages: Sequence[dict[str, Any]], *, model: str | None = None, **parameters: Any
    ) -> tuple[str, dict[str, Any]]:
        """The prompt and the scope of a conversation: see `headrace.scope`."""
        return scope(messages, model=model, **parameters)

    def _repr_html_(self) -> str:
        return views.cache(self)

    @classmethod
    def load(cls, path: str | PathLike[str], embedder: Any = None, **settings: Any) -> Self:
        """A cache in memory with the entries that `save` wrote.

        Args:
            path: The file; it stays as it is.
            embedder: The one that made the vectors in it.
            **settings: As the constructor takes them.

        Raises:
            StoreError: The file is no saved cache.
            EmbeddingError: Its vectors have another dimension than the cache's.

        Example:
            >>> import tempfile
            >>> file = Path(tempfile.mkdtemp()) / "saved.db"
            >>> cache = SemanticCache()
            >>> key = cache.put("What is scope 2?", "Purchased energy.")
            >>> cache.save(file)
            1
            >>> SemanticCache.load(file).get("What is scope 2?").response
            'Purchased energy.'
        """
        cache = cls(embedder, **settings)
        cache._load(Path(path))
        return cache

    @classmethod
    async def aload(cls, path: str | PathLike[str], embedder: Any = None, **settings: Any) -> Self:
        """The asyncio twin of `load`."""
        return await asyncio.to_thread(cls.load, path, embedder, **settings)

    def get_or_compute(
        self,
        prompt: str,
        fn: Callable[..., Any],
        *,
        embedding: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        threshold: float | None = None,
        tags: Sequence[str] = (),
        ttl: Duration | None = None,
        cost: Dollars | None = None,
    ) -> Any:
        """The cached answer, or what `fn` returns, which is then stored: one computation, however many ask at once.

        Equal questions (prompt, scope, tenant) asked meanwhile, by threads or by tasks, wait for it. What it raises
        they get too, and nothing is stored. A stale answer is served at once, while a thread makes a fresh one. Where
        two computations would wait for each other, one of them computes for itself instead.

        Args:
            prompt: The question; an empty one is computed each time.
            fn: Called without arguments, or with the prompt where it has a parameter without default.
            embedding: The question's vector, instead of the embedder's.
            scope: What must be equal for an answer to serve: a string or a JSON value.
            tenant: Whose it is.
            threshold: The least similarity, instead of the cache's own.
            tags: Names to invalidate it by.
            ttl: Seconds that it serves, or a timedelta.
            cost: What computing cost, in dollars.

        Returns:
            The answer: any JSON value, or bytes.

        Raises:
            CircularComputation: `fn` asks for the very answer that it computes, itself or through others.
            EmbeddingError: As for `put`.

        Example:
            >>> cache = SemanticCache()
            >>> cache.get_or_compute("What is scope 2?", lambda: "Purchased energy.")
            'Purchased energy.'
            >>> cache.get_or_compute("What is scope 2?", lambda: "not asked again")
            'Purchased energy.'
        """
        keep = {"scope": scope, "tenant": tenant, "tags": tags, "ttl": ttl, "cost": cost}
        while True:
            if embedding is None and not self._holds(prompt, scope, tenant):
                embedding = self._embed(prompt)
            hit = self.get(prompt, embedding=embedding, scope=scope, tenant=tenant, threshold=threshold)
            if hit is not None and not hit.is_stale:
                return hit.response
            if not prompt:
                return _call(fn, prompt)
            flight = self._join(prompt, scope, tenant)
            if hit is not None:
                if flight.leads:
                    work = (flight, prompt, fn, embedding, keep)
                    threading.Thread(target=self._refresh, args=work, name="headrace-refresh", daemon=True).start()
                return hit.response
            if flight.leads:
                return self._compute(flight, prompt, fn, embedding, keep)
            with waiting(flight, prompt, is_async=False) as may_wait:
                landed = flight.wait() if may_wait else None
            if not may_wait:
                return self._compute(None, prompt, fn, embedding, keep)
            if landed is not None:
                return landed[0]

    async def aget_or_compute(
        self,
        prompt: str,
        fn: Callable[..., Any],
        *,
        embedding: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        threshold: float | None = None,
        tags: Sequence[str] = (),
        ttl: Duration | None = None,
        cost: Dollars | None = None,
    ) -> Any:
        """The asyncio twin of `get_or_compute`; `fn` may be async, and runs on the event loop.

        Example:
            >>> async def answer(prompt):
            ...     return prompt.upper()
            >>> asyncio.run(SemanticCache().aget_or_compute("why?", answer))
            'WHY?'
        """
        keep = {"scope": scope, "tenant": tenant, "tags": tags, "ttl": ttl, "cost": cost}
        while True:
            if embedding is None and not self._holds(prompt, scope, tenant):
                embedding = await self._aembed(prompt)
            hit = await self._aget_embedded(prompt, embedding, scope, tenant, threshold)
            if hit is not None and not hit.is_stale:
                return hit.response
            if not prompt:
                return await _acall(fn, prompt)
            flight = self._join(prompt, scope, tenant)
            if hit is not None:
                if flight.leads:
                    task = asyncio.create_task(self._arefresh(flight, prompt, fn, embedding, keep))
                    _refreshing.add(task)
                    task.add_done_callback(_refreshing.discard)
                return hit.response
            if flight.leads:
                return await self._acompute(flight, prompt, fn, embedding, keep)
            with waiting(flight, prompt, is_async=True) as may_wait:
                landed = await flight.await_result() if may_wait else None
            if not may_wait:
                return await self._acompute(None, prompt, fn, embedding, keep)
            if landed is not None:
                return landed[0]

    async def aget(
        self,
        prompt: str,
        *,
        embedding: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        threshold: float | None = None,
    ) -> CacheHit | None:
        """The asyncio twin of `get`: the event loop goes on while the prompt is embedded and verified."""
        where = {"scope": scope, "tenant": tenant, "threshold": threshold}
        waits = (embedding is None or self.verifiers) and not self._holds(prompt, scope, tenant)
        if waits:
            return await asyncio.to_thread(self.get, prompt, embedding=embedding, **where)
        return self.get(prompt, embedding=embedding, **where)

    async def aput(
        self,
        prompt: str,
        response: Any,
        *,
        embedding: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        tags: Sequence[str] = (),
        ttl: Duration | None = None,
        cost: Dollars | None = None,
    ) -> str | None:
        """The asyncio twin of `put`: the event loop goes on while the prompt is embedded."""
        keep = {"scope": scope, "tenant": tenant, "tags": tags, "ttl": ttl, "cost": cost}
        return await asyncio.to_thread(self.put, prompt, response, embedding=embedding, **keep)

    async def aput_many(
        self,
        prompts: Sequence[str],
        responses: Iterable[Any],
        *,
        embeddings: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        tags: Sequence[str] = (),
        ttl: Duration | None = None,
        cost: Dollars | None = None,
    ) -> list[str | None]:
        """The asyncio twin of `put_many`."""
        keep = {"scope": scope, "tenant": tenant, "tags": tags, "ttl": ttl, "cost": cost}
        return await asyncio.to_thread(self.put_many, prompts, list(responses), embeddings=embeddings, **keep)

    async def aget_many(
        self,
        prompts: Sequence[str] | None = None,
        *,
        embeddings: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        threshold: float | None = None,
    ) -> list[CacheHit | None]:
        """The asyncio twin of `get_many`."""
        where = {"scope": scope, "tenant": tenant, "threshold": threshold}
        return await asyncio.to_thread(self.get_many, prompts, embeddings=embeddings, **where)

    async def aexplain(
        self,
        prompt: str,
        *,
        embedding: Vector | None = None,
        scope: Any = None,
        tenant: str = "default",
        threshold: float | None = None,
        limit: int = 5,
    ) -> Explanations:
        """The asyncio twin of `explain`."""
        where = {"scope": scope, "tenant": tenant, "threshold": threshold, "limit": limit}
        return await asyncio.to_thread(self.explain, prompt, embedding=embedding, **where)

    async def afeedback(self, hit: CacheHit, correct: bool) -> None:
        """The asyncio twin of `feedback`."""
        await asyncio.to_thread(self.feedback, hit, correct)

    async def acalibrate(
        self, pairs: Sequence[tuple[str, str, bool]], max_error_rate: float = 0.01, *, confidence: float = 0.95
    ) -> Calibration:
        """The asyncio twin of `calibrate`."""
        return await asyncio.to_thread(self.calibrate, pairs, max_error_rate, confidence=confidence)

    async def adelete(self, key: str) -> bool:
        """The asyncio twin of `delete`."""
        return await asyncio.to_thread(self.delete, key)

    async def ainvalidate(
        self,
        *,
        tenant: str | None = None,
        tag: str | None = None,
        scope: Any = None,
        older_than: Duration | None = None,
    ) -> int:
        """The asyncio twin of `invalidate`."""
        return await asyncio.to_thread(self.invalidate, tenant=tenant, tag=tag, scope=scope, older_than=older_than)

    async def aclear(self) -> None:
        """The asyncio twin of `clear`."""
        await asyncio.to_thread(self.clear)

    async def apurge_expired(self) -> int:
        """The asyncio twin of `purge_expired`."""
        return await asyncio.to_thread(self.purge_expired)

    async def acompact(self) -> None:
        """The asyncio twin of `compact`."""
        await asyncio.to_thread(self.compact)

    async def asave(self, path: str | PathLike[str]) -> int:
        """The asyncio twin of `save`."""
        return await asyncio.to_thread(self.save, path)

    async def _aget_embedded(
        self, prompt: str, embedding: Any, scope: Any, tenant: str, threshold: float | None
    ) -> CacheHit | None:
        """A lookup with a vector, which waits for nothing unless a verifier reads."""
        where = {"embedding": embedding, "scope": scope, "tenant": tenant, "threshold": threshold}
        return await self.aget(prompt, **where) if self.verifiers else self.get(prompt, **where)

    async def _aembed(self, prompt: str) -> npt.NDArray[np.float32] | None:
        return await asyncio.to_thread(self._embed, prompt)

    def _compute(
        self, flight: _core.cache.Flight | None, prompt: str, fn: Any, embedding: Any, keep: dict[str, Any]
    ) -> Any:
        """Computes and stores an answer; without a flight for this caller alone."""
        if flight is None:
            value = _call(fn, prompt)
            self.put(prompt, value, embedding=embedding, **keep)
            return value
        try:
            # Another computation may have ended between the lookup and the take-off.
            ready = self._fresh(prompt, keep)
            if ready is None:
                with leading(flight, is_async=False):
                    value = _call(fn, prompt)
                self.put(prompt, value, embedding=embedding, **keep)
            else:
                value = ready.response
            flight.land(value)
        except Exception as error:
            flight.fail(error)
            raise
        finally:
            flight.leave()
        return value

    async def _acompute(
        self, flight: _core.cache.Flight | None, prompt: str, fn: Any, embedding: Any, keep: dict[str, Any]
    ) -> Any:
        if flight is None:
            value = await _acall(fn, prompt)
            await self.aput(prompt, value, embedding=embedding, **keep)
            return value
        try:
            ready = self._fresh(prompt, keep)
            if ready is None:
                with leading(flight, is_async=True):
                    value = await _acall(fn, prompt)
                await self.aput(prompt, value, embedding=embedding, **keep)
            else:
                value = ready.response
            flight.land(value)
        except Exception as error:
            flight.fail(error)
            raise
        finally:
            flight.leave()
        return value

    def _fresh(self, prompt: str, keep: dict[str, Any]) -> CacheHit | None:
        hit = self._exact(prompt, keep["scope"], keep["tenant"])
        return hit if hit is not None and not hit.is_stale else None

    def _refresh(self, *work: Any) -> None:
        try:
            self._compute(*work)
        except Exception as error:
            _report(error)

    async def _arefresh(self, *work: Any) -> None:
        try:
            await self._acompute(*work)
        except Exception as error:
            _report(error)


_refreshing: set[asyncio.Task[None]] = set()


def _report(error: Exception) -> None:
    """Nobody waits for a refresh: its failure is logged, and the stale answer serves until its grace is over."""
    import logging

    logging.getLogger("headrace.cache").warning("a stale answer was not refreshed: %s", type(error).__name__)


def _call(fn: Callable[..., Any], prompt: str) -> Any:
    return fn(prompt) if _takes_prompt(fn) else fn()


async def _acall(fn: Callable[..., Any], prompt: str) -> Any:
    value: Awaitable[Any] | Any = _call(fn, prompt)
    return await value if inspect.isawaitable(value) else value


def _takes_prompt(fn: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is inspect.Parameter.empty for p in parameters)
