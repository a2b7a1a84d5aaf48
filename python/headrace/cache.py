"""The semantic cache: the compiled one, with its asyncio twins and with computing what is missing."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from headrace import _core

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SemanticCache", "scope"]

Vector = npt.ArrayLike
Duration = float | timedelta


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

    @classmethod
    def load(cls, path: str | Path, embedder: Any = None, **settings: Any) -> Self:
        """A cache in memory with the entries that `save` wrote.

        Args:
            path: The file.
            embedder: The one that made the vectors in it.
            **settings: As the constructor takes them.

        Raises:
            StoreError: The file is no saved cache.
        """
        cache = cls(embedder, **settings)
        cache._load(Path(path))
        return cache

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
        cost: Decimal | int | float | str | None = None,
    ) -> Any:
        """The cached answer, or what `fn` returns, which is then stored: one computation, however many ask at once.

        Equal questions (prompt, scope, tenant) asked meanwhile, by threads or by tasks, wait for it. What it raises
        they get too, and nothing is stored. A stale answer is served at once, while a thread makes a fresh one.

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
        """
        keep = {"scope": scope, "tenant": tenant, "tags": list(tags), "ttl": ttl, "cost": cost}
        while True:
            if embedding is None and self._exact(prompt, scope, tenant) is None:
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
            landed = flight.wait()
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
        cost: Decimal | int | float | str | None = None,
    ) -> Any:
        """The asyncio twin of `get_or_compute`; `fn` may be async."""
        keep = {"scope": scope, "tenant": tenant, "tags": list(tags), "ttl": ttl, "cost": cost}
        while True:
            if embedding is None and self._exact(prompt, scope, tenant) is None:
                embedding = await self._aembed(prompt)
            hit = self.get(prompt, embedding=embedding, scope=scope, tenant=tenant, threshold=threshold)
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
            landed = await flight.await_result()
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
    ) -> _core.cache.CacheHit | None:
        """The asyncio twin of `get`: the event loop goes on while the prompt is embedded."""
        if embedding is None and self._exact(prompt, scope, tenant) is None:
            return await asyncio.to_thread(self.get, prompt, scope=scope, tenant=tenant, threshold=threshold)
        return self.get(prompt, embedding=embedding, scope=scope, tenant=tenant, threshold=threshold)

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
        cost: Decimal | int | float | str | None = None,
    ) -> str | None:
        """The asyncio twin of `put`: the event loop goes on while the prompt is embedded."""
        keep = {"scope": scope, "tenant": tenant, "tags": list(tags), "ttl": ttl, "cost": cost}
        return await asyncio.to_thread(self.put, prompt, response, embedding=embedding, **keep)

    async def _aembed(self, prompt: str) -> npt.NDArray[np.float32] | None:
        return await asyncio.to_thread(self._embed, prompt)

    def _compute(self, flight: _core.cache.Flight, prompt: str, fn: Any, embedding: Any, keep: dict[str, Any]) -> Any:
        try:
            # Another computation may have ended between the lookup and the take-off.
            ready = self._fresh(prompt, keep)
            value = _call(fn, prompt) if ready is None else ready.response
            if ready is None:
                self.put(prompt, value, embedding=embedding, **keep)
            flight.land(value)
        except Exception as error:
            flight.fail(error)
            raise
        finally:
            flight.leave()
        return value

    async def _acompute(
        self, flight: _core.cache.Flight, prompt: str, fn: Any, embedding: Any, keep: dict[str, Any]
    ) -> Any:
        try:
            ready = self._fresh(prompt, keep)
            value = await _acall(fn, prompt) if ready is None else ready.response
            if ready is None:
                await asyncio.to_thread(self.put, prompt, value, embedding=embedding, **keep)
            flight.land(value)
        except Exception as error:
            flight.fail(error)
            raise
        finally:
            flight.leave()
        return value

    def _fresh(self, prompt: str, keep: dict[str, Any]) -> _core.cache.CacheHit | None:
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
