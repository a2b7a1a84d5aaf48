"""The client: one call through cache, budget, queue, provider and ledger."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from headrace import providers as _providers
from headrace._core.client import ChatStream, Chunk, Response
from headrace._core.client import Client as _Client
from headrace.cache import SemanticCache
from headrace.costs import CostTracker
from headrace.errors import ConfigError, HeadraceError
from headrace.queue import Limits, RequestQueue

__all__ = ["ChatStream", "Chunk", "Client", "Response"]

Messages: TypeAlias = "str | Sequence[Mapping[str, Any]]"
Seconds: TypeAlias = "float | timedelta"

_log = logging.getLogger("headrace")


class Client(_Client):
    """One place to ask from: cache, budgets, queue, provider and ledger behind one call.

    Args:
        providers: who answers; None takes those whose keys the environment holds, or the simulated one.
        cache: what answers again; None makes one for equal questions, in memory. Give `SemanticCache(embedder)` for
            questions that mean the same.
        queue: where calls wait for their turn; None makes one in memory. A durable one finishes, on the next start,
            what a dead process left.
        costs: what counts the money; None makes one in memory.
        limits: what may leave the queue at once and in a minute, see `headrace.queue.limit_rules`.
        fallbacks: models to ask where one fails, by model, in order.
        max_attempts: how often one provider is asked for one answer.

    Raises:
        ConfigError: the parts do not fit together.

    >>> client = Client([_providers.Simulated(time_to_first_token=0)])
    >>> r = client.chat("simulated/echo", "What are scope 1 emissions?")
    >>> r.text, r.cache, client.chat("simulated/echo", "What are scope 1 emissions?").cache
    ('What are scope 1 emissions?', None, 'exact')
    """

    cache: SemanticCache
    queue: RequestQueue
    costs: CostTracker

    def __new__(
        cls,
        providers: Iterable[_providers.OpenAICompatible | _providers.Simulated] | None = None,
        *,
        cache: SemanticCache | None = None,
        queue: RequestQueue | None = None,
        costs: CostTracker | None = None,
        limits: Limits | None = None,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        max_attempts: int = 3,
    ) -> Client:
        """Put the parts together; nothing is sent."""
        chosen = _providers.from_environment() if providers is None else list(providers)
        if providers is None and isinstance(chosen[0], _providers.Simulated):
            _log.info("no API key in the environment: the simulated provider answers (models simulated/...)")
        if queue is not None and limits is not None:
            raise ConfigError("limits belong to the queue: give RequestQueue(limits=...) or no queue=")
        if max_attempts < 1:
            raise ConfigError(f"max_attempts is {max_attempts}: give 1 or more")
        cache = SemanticCache() if cache is None else cache
        queue = RequestQueue(limits=limits) if queue is None else queue
        costs = CostTracker() if costs is None else costs
        self = super().__new__(
            cls,
            chosen,
            cache=cache,
            queue=queue,
            costs=costs,
            fallbacks={model: list(others) for model, others in (fallbacks or {}).items()},
            max_attempts=max_attempts,
        )
        self.cache, self.queue, self.costs = cache, queue, costs
        return self

    def chat(
        self,
        model: str,
        messages: Messages,
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
        cache: bool = True,
        **params: Any,
    ) -> Response:
        """Ask for an answer.

        Args:
            model: as `provider/model`.
            messages: a list of role/content dicts, or a text for one user message.
            priority: critical, high, normal or low, or 0 to 3.
            tenant: who asks; tenants share neither cache entries nor turns.
            tags: what it is for, in the ledger.
            timeout: how long to wait in all.
            cache: whether the cache may answer, and keep the answer.
            params: what else the provider takes: temperature, max_tokens, tools, ...

        Raises:
            UnknownModel: no provider has the model.
            ValueError: a message or a parameter is not valid; nothing was sent.
            BudgetExceeded: the call does not fit into a budget; nothing was sent.
            ProviderError: the provider failed, after retries and fallbacks; nothing was cached or booked.
            Timeout: there was no answer in time.
        """
        return self._chat(_call(model, messages, priority, tenant, tags, timeout, cache, params))

    async def achat(
        self,
        model: str,
        messages: Messages,
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
        cache: bool = True,
        **params: Any,
    ) -> Response:
        """As `chat`."""
        return await self._achat(_call(model, messages, priority, tenant, tags, timeout, cache, params))

    def stream(
        self,
        model: str,
        messages: Messages,
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
        cache: bool = True,
        **params: Any,
    ) -> ChatStream:
        """Ask for an answer in chunks; `timeout` is for the first. Afterwards `.response` has the whole and its cost.

        Raises:
            ProviderUnavailable: the stream broke off; what was sent is booked, and nothing is cached.
        """
        return self._stream(_call(model, messages, priority, tenant, tags, timeout, cache, params))

    async def astream(
        self,
        model: str,
        messages: Messages,
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
        cache: bool = True,
        **params: Any,
    ) -> AsyncIterator[Chunk]:
        """As `stream`, in an `async for`."""
        async for chunk in await self._astream(_call(model, messages, priority, tenant, tags, timeout, cache, params)):
            yield chunk

    def embed(
        self,
        model: str,
        texts: Sequence[str],
        *,
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
    ) -> npt.NDArray[np.float32]:
        """Vectors of texts, an array of shape (n, dim), within the budgets."""
        return self._embed(list(texts), _call(model, (), "normal", tenant, tags, timeout, False, {}))

    async def aembed(
        self,
        model: str,
        texts: Sequence[str],
        *,
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
    ) -> npt.NDArray[np.float32]:
        """As `embed`."""
        return await self._aembed(list(texts), _call(model, (), "normal", tenant, tags, timeout, False, {}))

    def map(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: bool = False,
        errors: Literal["raise", "return"] = "raise",
        **call: Any,
    ) -> list[Response | HeadraceError]:
        """Ask many questions at once; the answers are in the order of the questions.

        With a durable cache, what was answered before a restart costs nothing the second time.

        Args:
            prompts: texts, or lists of messages.
            model: as `provider/model`.
            concurrency: how many are under way at once.
            progress: whether to show answers, hits and cost as they come, on standard error.
            errors: whether the first error ends it, or stands in the place of its answer.
            call: as for `chat`.

        >>> client = Client([_providers.Simulated(time_to_first_token=0)])
        >>> [r.text for r in client.map(["a?", "b?"], model="simulated/echo")]
        ['a?', 'b?']
        """
        questions = list(prompts)
        answers: list[Response | HeadraceError] = [HeadraceError("not asked")] * len(questions)
        show = _Progress(len(questions)) if progress else None
        with ThreadPoolExecutor(max_workers=max(1, concurrency), thread_name_prefix="headrace-map") as pool:
            places = {pool.submit(self.chat, model, question, **call): n for n, question in enumerate(questions)}
            try:
                for future in as_completed(places):
                    try:
                        answers[places[future]] = future.result()
                    except HeadraceError as error:
                        if errors == "raise":
                            raise
                        answers[places[future]] = error
                    if show:
                        show(answers[places[future]])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return answers

    def close(self) -> None:
        """End it: waiting calls fail with QueueClosed. A durable queue keeps its requests."""
        self.queue.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        simulated = (
            " (nothing is real: the simulated provider answers)" if self._provider_names == ["simulated"] else ""
        )
        return f"<Client of {', '.join(self._provider_names)}{simulated}>"


def _call(
    model: str,
    messages: Messages,
    priority: str | int,
    tenant: str,
    tags: Sequence[str],
    timeout: Seconds | None,
    cache: bool,
    params: dict[str, Any],
) -> dict[str, Any]:
    return {
        "model": model,
        "messages": messages,
        "priority": priority,
        "tenant": tenant,
        "tags": tags,
        "timeout": timeout,
        "cache": cache,
        "params": params,
    }


class _Progress:
    """A line on standard error: how many, how many of them from the cache, what they cost."""

    def __init__(self, total: int, write: Callable[[str], object] | None = None) -> None:
        self._total, self._done, self._hits, self._failed = total, 0, 0, 0
        self._cost: Any = 0
        self._write = write or sys.stderr.write

    def __call__(self, answer: Response | HeadraceError) -> None:
        self._done += 1
        if isinstance(answer, HeadraceError):
            self._failed += 1
        else:
            self._hits += answer.cache is not None
            self._cost += answer.cost
        end = "\n" if self._done == self._total else ""
        self._write(
            f"\r{self._done}/{self._total} answered, {self._hits} from the cache, {self._failed} failed, "
            f"{self._cost} USD{end}"
        )
