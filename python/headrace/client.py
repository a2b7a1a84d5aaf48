"""The client: one call through cache, budget, queue, provider and ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, overload

from headrace import providers as _providers
from headrace._core.client import ChatStream, Chunk, Response, ToolCall
from headrace._core.client import Client as _Client
from headrace._late import Late
from headrace._map import MapCalls
from headrace._progress import Shown
from headrace._routes import fallbacks_of, routes_of
from headrace._schema import response_format_of
from headrace._span import current_span
from headrace.cache import Explanations, SemanticCache
from headrace.cost import CostTracker
from headrace.errors import ConfigError, HeadraceError
from headrace.notebook import views
from headrace.queue import Limits, RequestQueue

if TYPE_CHECKING:
    import asyncio
    import json
    import logging

    import numpy as np
    import numpy.typing as npt

    from headrace import metrics
    from headrace.metrics import Metrics
else:
    asyncio, json, logging = Late("asyncio"), Late("json"), Late("logging")
    metrics = Late("headrace.metrics")

__all__ = ["ChatStream", "Chunk", "Client", "Response", "ToolCall"]

Messages: TypeAlias = "str | Sequence[Mapping[str, Any]]"
Seconds: TypeAlias = "float | timedelta"
Provider: TypeAlias = "_providers.HttpProvider | _providers.Simulated"
_Told = TypeVar("_Told", bound="Response | BaseException")
Outcome: TypeAlias = "Response | HeadraceError | ValueError | TypeError"


def _log() -> logging.Logger:
    return logging.getLogger("headrace")


class Client(_Client):
    """One place to ask from: cache, budgets, queue, provider and ledger behind one call.

    Args:
        providers: the providers, or one of them; None takes those whose keys the environment holds, and the simulated
            one.
        cache: what answers again; None makes one for equal questions, in memory. Give `SemanticCache(embedder)` for
            questions that mean the same.
        queue: where calls wait for their turn; None makes one in memory. A durable one finishes, on the next start,
            what a dead process left.
        costs: what counts the money; None makes one in memory.
        limits: what may leave the queue at once and in a minute, see `headrace.queue.limit_rules`.
        fallbacks: models or routes to ask where one fails, by model or route, in order:
            `{"openai/gpt-4o": ["deepseek/deepseek-chat"]}`.
        routes: names of yours for several models: `{"report": {"models": [...], "pick": "cheapest", "needs": [...]}}`.
            `pick` is `first` (the order given), `cheapest` (for this very request) or `fastest` (to the first word, as
            seen). `needs` are abilities by the price table: `vision`, `tools`, `schema`, `reasoning`, ...; `context`
            leaves out models whose context is unknown. One whose context is too short is passed over, and where the
            first fails, the others are asked.
        max_attempts: how often one provider is asked for one answer.
        max_retry_share: the most of a provider's calls in a minute that may be retries; ten a minute are free.
        hedge: the most of a provider's calls that may be asked twice, as in 0.05: a second request is sent where the
            first has not begun to answer in the time that nineteen of twenty take; the one that begins first answers,
            and both are in the ledger. None: never.
        adaptive: whether to find out how much a provider takes at once by how soon it begins to answer. Of what waits
            for more, the least urgent is refused first, with QueueFull.
        on_call: called with each call's `Response`, or with the exception that it ended with; of a call that its caller
            left, that is what made it leave, or `RequestCancelled`.

    Raises:
        ConfigError: the parts do not fit together, or a fallback or a route names a model that no provider serves.

    >>> client = Client(_providers.Simulated(time_to_first_token=0))
    >>> r = client.chat("simulated/echo", "What are scope 1 emissions?")
    >>> r.text, r.cache, client.chat("simulated/echo", "What are scope 1 emissions?").cache
    ('What are scope 1 emissions?', None, 'exact')
    """

    cache: SemanticCache
    queue: RequestQueue
    costs: CostTracker
    _owns_queue: bool
    _on_call: Callable[[Response | BaseException], object] | None

    def __new__(
        cls,
        providers: Provider | Iterable[Provider] | None = None,
        *,
        cache: SemanticCache | None = None,
        queue: RequestQueue | None = None,
        costs: CostTracker | None = None,
        limits: Limits | None = None,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        routes: Mapping[str, Mapping[str, Any]] | None = None,
        max_attempts: int = 3,
        max_retry_share: float = 0.1,
        hedge: float | None = None,
        adaptive: bool = False,
        on_call: Callable[[Response | BaseException], object] | None = None,
    ) -> Client:
        """Put the parts together; nothing is sent."""
        chosen = _providers_of(providers)
        if providers is None and isinstance(chosen[0], _providers.Simulated):
            _log().info("no API key in the environment: the simulated provider answers (models simulated/...)")
        if queue is not None and limits is not None:
            raise ConfigError("limits belong to the queue: give RequestQueue(limits=...) or no queue=")
        if not isinstance(max_attempts, int) or isinstance(max_attempts, bool) or not 1 <= max_attempts <= 1000:
            raise ConfigError(f"max_attempts is {max_attempts!r}: give a whole number from 1 to 1000")
        for name, share in [("max_retry_share", max_retry_share), ("hedge", 0 if hedge is None else hedge)]:
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ConfigError(f"{name} is {share!r}: give a number from 0 to 1")
        if on_call is not None and not callable(on_call):
            raise ConfigError(f"on_call is of type {type(on_call).__name__}: give a function of one argument")
        owns_queue = queue is None
        cache = SemanticCache() if cache is None else cache
        queue = RequestQueue(limits=limits) if queue is None else queue
        costs = CostTracker() if costs is None else costs
        self = super().__new__(
            cls,
            chosen,
            cache=cache,
            queue=queue,
            costs=costs,
            fallbacks=fallbacks_of(fallbacks),
            routes=routes_of(routes),
            max_attempts=max_attempts,
            max_retry_share=max_retry_share,
            hedge=hedge,
            adaptive=adaptive,
        )
        self.cache, self.queue, self.costs = cache, queue, costs
        self._owns_queue, self._on_call = owns_queue, on_call
        return self

    @classmethod
    def from_config(cls, path: str | os.PathLike[str]) -> Client:
        r"""Make the client that a file describes; `docs/endpoint.md` has every key of it.

        Args:
            path: the file, as in `headrace.toml`.

        Raises:
            ConfigError: there is no such file, a key is unknown or has no valid value (with line and column), or a
                variable that is to hold a key holds none.

        >>> from pathlib import Path
        >>> _ = Path("headrace.toml").write_text('[[providers]]\nname = "simulated"\n')
        >>> Client.from_config("headrace.toml").chat("simulated/echo", "Which scope is travel?").text
        'Which scope is travel?'
        """
        from headrace.config import load

        return load(path).client

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
            model: as `provider/model`, or the name of a route.
            messages: a list of role/content dicts, or a text for one user message.
            priority: critical, high, normal or low, or 0 to 3.
            tenant: whose call it is; tenants share neither cache entries nor turns.
            tags: what it is for, in the ledger.
            timeout: seconds to wait in all.
            cache: whether the cache may answer, and keep the answer.
            params: what else the provider takes, under the names of OpenAI's API: temperature, max_tokens, tools, ...
                A pydantic model as `response_format` asks for its schema, and `.parsed` of the response is an instance
                of it. `extra_body={...}` goes into the request as it is.

        Raises:
            UnknownModel: no provider has the model.
            ValueError: a message or a parameter is not valid; nothing was sent.
            BudgetExceeded: the call does not fit into a budget; nothing was sent.
            ProviderError: the provider failed, after retries and fallbacks; nothing was cached.
            Timeout: there was no answer in time.

        >>> client = Client(_providers.Simulated(time_to_first_token=0))
        >>> client.chat("simulated/echo", [{"role": "user", "content": "Which scope is travel?"}]).text
        'Which scope is travel?'
        """
        call, schema = _call(model, messages, priority, tenant, tags, timeout, cache, params)
        try:
            response = self._chat(call)
        except BaseException as error:
            self._tell(error)
            raise
        return self._finish(response, schema)

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
        """As `chat`, to be awaited."""
        call, schema = _call(model, messages, priority, tenant, tags, timeout, cache, params)
        try:
            response = await self._achat(call)
        except BaseException as error:
            self._tell(error)
            raise
        return self._finish(response, schema)

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
        """Ask for an answer in chunks: returns at the first word; `.response` has the whole and its cost at the end.

        Takes the same as `chat`; `timeout` is for all of the answer.

        Raises:
            ProviderError: before the first word as for `chat`; after it, from the iteration: what was sent is booked,
                and nothing is cached.

        >>> client = Client(_providers.Simulated(time_to_first_token=0, tokens_per_second=0))
        >>> stream = client.stream("simulated/echo", "Which scope is travel?")
        >>> "".join(chunk.text for chunk in stream), stream.response.finish_reason
        ('Which scope is travel?', 'stop')
        """
        call, schema = _call(model, messages, priority, tenant, tags, timeout, cache, params)
        try:
            return self._stream(call, lambda outcome: self._finish(outcome, schema))
        except BaseException as error:
            self._tell(error)
            raise

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
    ) -> ChatStream:
        """As `stream`, to be awaited: `s = await client.astream(...)`, then `async for chunk in s`."""
        call, schema = _call(model, messages, priority, tenant, tags, timeout, cache, params)
        try:
            return await self._astream(call, lambda outcome: self._finish(outcome, schema))
        except BaseException as error:
            self._tell(error)
            raise

    def explain(
        self,
        model: str,
        messages: Messages,
        *,
        tenant: str = "default",
        limit: int = 5,
        **params: Any,
    ) -> Explanations:
        """The cache's entries nearest to a call's question, and what each judge says: why it would be answered or not.

        No provider is asked for an answer, and nothing is counted.

        Args:
            model: as for `chat`; an answer of one model serves no call of another.
            messages: as for `chat`.
            tenant: whose call it would be.
            limit: how many entries.
            params: as for `chat`; they are part of what must be equal.

        Raises:
            ValueError: there is no text of a user, or a parameter is not valid.

        >>> client = Client(_providers.Simulated(time_to_first_token=0))
        >>> _ = client.chat("simulated/echo", "Which scope is travel?")
        >>> print(client.explain("simulated/echo", "Which scope is travel?")[0])
        1.0000  "Which scope is travel?"  serves
                exact: it is the same prompt
                expiry: it serves without an end
        >>> client.explain("simulated/echo", "Which scope is travel?", temperature=0).in_other_scopes
        1
        """
        call, _schema = _call(model, messages, "normal", tenant, (), None, True, params)
        return self._explain(call, limit)

    async def aexplain(
        self,
        model: str,
        messages: Messages,
        *,
        tenant: str = "default",
        limit: int = 5,
        **params: Any,
    ) -> Explanations:
        """As `explain`, to be awaited."""
        return await asyncio.to_thread(self.explain, model, messages, tenant=tenant, limit=limit, **params)

    def embed(
        self,
        model: str,
        texts: str | Sequence[str],
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
    ) -> npt.NDArray[np.float32]:
        """Vectors of texts, an array of shape (n, dim), within budgets and limits; one text is a list of one.

        Raises:
            ValueError: there is no text, or one is empty.
            EmbeddingError: the provider gave vectors of different lengths.

        >>> client = Client(_providers.Simulated(time_to_first_token=0))
        >>> client.embed("simulated/embedding", "scope 2 emissions").shape
        (1, 256)
        """
        return self._embed(*_embed_call(model, texts, priority, tenant, tags, timeout))

    async def aembed(
        self,
        model: str,
        texts: str | Sequence[str],
        *,
        priority: str | int = "normal",
        tenant: str = "default",
        tags: Sequence[str] = (),
        timeout: Seconds | None = None,
    ) -> npt.NDArray[np.float32]:
        """As `embed`, to be awaited."""
        return await self._aembed(*_embed_call(model, texts, priority, tenant, tags, timeout))

    @overload
    def map(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: bool = False,
        errors: Literal["raise"] = "raise",
        **call: Any,
    ) -> list[Response]: ...

    @overload
    def map(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: bool = False,
        errors: Literal["return"],
        **call: Any,
    ) -> list[Outcome]: ...

    def map(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: Shown = False,
        errors: Literal["raise", "return"] = "raise",
        **call: Any,
    ) -> list[Any]:
        """Ask many questions at once; the answers are in the order of the questions.

        With a durable cache, what was answered before a restart costs nothing the second time.

        Args:
            prompts: texts, or lists of messages; of an iterator, a question is read when there is room to send it.
            model: as `provider/model`.
            concurrency: how many are under way at once.
            progress: whether to show answers, hits, cost and the time left as they come: one line that is rewritten in
                a notebook and on a terminal, few lines elsewhere; "auto" where that suits the place.
            errors: whether the first error ends it and cancels what runs, or stands in the place of its answer.
            call: as for `chat`.

        Raises:
            ValueError: an argument is not valid; nothing was sent.

        >>> client = Client(_providers.Simulated(time_to_first_token=0))
        >>> [r.text for r in client.map(["a?", "b?"], model="simulated/echo")]
        ['a?', 'b?']
        """
        with self._map_calls(prompts, model, concurrency, progress, errors, call) as calls:
            while calls.feed():
                calls.take(calls.run.next())
        return calls.answers

    @overload
    async def amap(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: bool = False,
        errors: Literal["raise"] = "raise",
        **call: Any,
    ) -> list[Response]: ...

    @overload
    async def amap(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: bool = False,
        errors: Literal["return"],
        **call: Any,
    ) -> list[Outcome]: ...

    async def amap(
        self,
        prompts: Iterable[Messages],
        *,
        model: str,
        concurrency: int = 16,
        progress: Shown = False,
        errors: Literal["raise", "return"] = "raise",
        **call: Any,
    ) -> list[Any]:
        """As `map`, to be awaited."""
        with self._map_calls(prompts, model, concurrency, progress, errors, call) as calls:
            while calls.feed():
                calls.take(await calls.run.anext())
        return calls.answers

    def _map_calls(
        self,
        prompts: Iterable[Messages],
        model: str,
        concurrency: int,
        progress: Shown,
        errors: str,
        call: dict[str, Any],
    ) -> MapCalls:
        options = _map_options(prompts, concurrency, errors, call)
        schema = call.get("response_format")
        return MapCalls(
            self._map(),
            prompts,
            call_of=lambda prompt: _call(model, prompt, **options, params=call)[0],
            finish=lambda outcome: self._finish(outcome, schema),
            concurrency=concurrency,
            progress=progress,
            errors=errors,
        )

    def _finish(self, outcome: _Told, schema: Any) -> _Told:
        """The outcome with `.parsed` where a form was asked for; the hook is told."""
        if isinstance(outcome, Response):
            outcome = cast("_Told", _parsed(outcome, schema))
        self._tell(outcome)
        return outcome

    def _tell(self, outcome: Any) -> None:
        """Tell the hook; what it raises is logged, since the call itself is over."""
        if self._on_call is not None:
            try:
                self._on_call(outcome)
            except Exception:
                _log().exception("on_call raised")

    def metrics(self) -> Metrics:
        """The figures of its calls, its providers, its queue and its cache, now; counts are from its start.

        >>> client = Client(_providers.Simulated(time_to_first_token=0))
        >>> _ = client.chat("simulated/echo", "Which scope is travel?")
        >>> [(series.model, series.calls) for series in client.metrics().calls]
        [('echo', 1)]
        """
        figures, text = self._metrics()
        return metrics.Metrics.of(figures, self.queue.stats(), self.cache.stats(), text)

    async def ametrics(self) -> Metrics:
        """As `metrics`, to be awaited."""
        figures, text = self._metrics()
        return metrics.Metrics.of(figures, await self.queue.astats(), self.cache.stats(), text)

    def close(self) -> None:
        """End it: calls that wait in a queue of its own fail with QueueClosed. A queue that it was given stays open."""
        if self._owns_queue:
            self.queue.close()

    async def aclose(self) -> None:
        """As `close`, to be awaited."""
        self.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    def _repr_html_(self) -> str:
        return views.client(self)

    def __repr__(self) -> str:
        simulated = (
            " (nothing is real: the simulated provider answers)" if self._provider_names == ["simulated"] else ""
        )
        return f"<Client of {', '.join(self._provider_names)}{simulated}>"


def _providers_of(given: Any) -> list[Any]:
    if given is None:
        return list(_providers.from_environment())
    if isinstance(given, (_providers.HttpProvider, _providers.Simulated)):
        return [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(
            f"providers is of type {type(given).__name__}: give providers, as in Client([headrace.providers.OpenAI()])"
        )
    return list(given)


def _call(
    model: str,
    messages: Messages,
    priority: str | int,
    tenant: str,
    tags: Sequence[str],
    timeout: Seconds | None,
    cache: bool,
    params: dict[str, Any],
) -> tuple[dict[str, Any], Any]:
    """The keywords of a call in one dict, and what its answer is to be read as."""
    schema = params.get("response_format")
    if _is_model(schema):
        params = {**params, "response_format": response_format_of(schema)}
    call = {
        "model": model,
        "messages": messages,
        "priority": priority,
        "tenant": tenant,
        "tags": tags,
        "timeout": timeout,
        "cache": cache,
        "params": params,
        "parent": current_span(),
    }
    return call, schema


def _embed_call(
    model: str,
    texts: str | Sequence[str],
    priority: str | int,
    tenant: str,
    tags: Sequence[str],
    timeout: Seconds | None,
) -> tuple[list[str], dict[str, Any]]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    call, _schema = _call(model, (), priority, tenant, tags, timeout, False, {})
    return listed, call


def _map_options(prompts: Iterable[Messages], concurrency: int, errors: str, call: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a map, and take the options of its calls out of the keywords."""
    if isinstance(prompts, str):
        raise TypeError("prompts is one text: give a list of texts, or ask by chat()")
    if errors not in ("raise", "return"):
        raise ValueError(f"errors is {errors!r}: give 'raise' or 'return'")
    if not isinstance(concurrency, int) or not 1 <= concurrency <= 1_000_000:
        raise ValueError(f"concurrency is {concurrency!r}: give a whole number from 1 to 1000000")
    if "messages" in call:
        raise TypeError("map takes the messages as prompts: give a list of texts or of lists of messages")
    options = {name: call.pop(name, default) for name, default in _OPTIONS.items()}
    if not isinstance(options["tags"], str):
        options["tags"] = list(options["tags"])
    return options


_OPTIONS: dict[str, Any] = {"priority": "normal", "tenant": "default", "tags": (), "timeout": None, "cache": True}


def _is_model(schema: Any) -> bool:
    return isinstance(schema, type) and hasattr(schema, "model_json_schema")


def _parsed(response: Response, schema: Any) -> Response:
    """The response with `.parsed`; None where the answer is not of the schema: it was paid for all the same."""
    is_json = isinstance(schema, Mapping) and schema.get("type") in ("json_object", "json_schema")
    is_whole = response.finish_reason == "stop" and response.refusal is None
    if not (is_json or _is_model(schema)) or not is_whole:
        return response
    try:
        return response._with_parsed(
            schema.model_validate_json(response.text) if _is_model(schema) else json.loads(response.text)
        )
    except ValueError:
        # The error quotes the answer, which belongs in no log.
        _log().warning("an answer of %s is not of the form that was asked for: parsed is None", response.model)
        return response
