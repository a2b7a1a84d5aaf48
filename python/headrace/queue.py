"""The request queue: the synchronous core, and its asyncio twins."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from headrace._core.queue import Lease
from headrace._core.queue import RequestQueue as _RequestQueue
from headrace._late import Late
from headrace.errors import ConfigError, LeaseLost
from headrace.notebook import views

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = Late("asyncio")

__all__ = [
    "DeadLetter",
    "DurationSummary",
    "Failure",
    "Lease",
    "Priority",
    "QueueStats",
    "RequestQueue",
    "limit_rules",
]

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Seconds: TypeAlias = "float | timedelta"
Limits: TypeAlias = "Mapping[str, int | Mapping[str, Mapping[str, int]]]"

_RATES = ("concurrency", "requests_per_minute", "tokens_per_minute")


class Failure(TypedDict):
    """What went wrong in one attempt: the attempt from 1, the error's text, and when, in UTC."""

    attempt: int
    error: str
    at: datetime


class DeadLetter(TypedDict):
    """A request that was given up, with its last error as the reason and all failures, first to last."""

    id: str
    payload: Any
    priority: str
    tenant: str
    reason: str
    history: tuple[Failure, ...]


class DurationSummary(TypedDict):
    """How long something took, in seconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class QueueStats(TypedDict):
    """Counts and durations of a queue; `put`, `acked`, `retried` and `expired` are this process's own."""

    by_status: dict[str, int]
    by_priority: dict[str, int]
    by_tenant: dict[str, int]
    bytes: int
    put: int
    acked: int
    retried: int
    expired: int
    paused: bool
    closed: bool
    enqueue: DurationSummary
    wait: DurationSummary
    run: DurationSummary


class Priority(enum.IntEnum):
    """How urgent a request is; its name in lower case serves as well.

    >>> Priority.HIGH < Priority.LOW
    True
    """

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


def limit_rules(limits: Limits | None) -> list[dict[str, object]]:
    """Limits as the core takes them, a row for each scope.

    Args:
        limits: `concurrency`, `requests_per_minute` and `tokens_per_minute` for all that leaves the queue, and the
            same again by name under `provider`, `model` and `tenant`. The name `*` is each of them that has no limits
            of its own, also those yet unknown: every one has these limits for itself.

    Raises:
        ConfigError: a name is unknown or a limit is not a whole number of 1 or more.

    >>> [row["scope"] for row in limit_rules({"concurrency": 8, "tenant": {"acme": {"requests_per_minute": 60}}})]
    [('global', ''), ('tenant', 'acme')]
    """
    rows: list[dict[str, object]] = []

    def add(scope: tuple[str, str], given: Mapping[str, object]) -> None:
        for name, value in given.items():
            if name not in _RATES:
                raise ConfigError(f"limit {name!r} is unknown: give {', '.join(_RATES)}, provider, model or tenant")
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"limit {name} is {value!r}: give a whole number, 1 or more")
        if given:
            rows.append({"scope": scope, **dict.fromkeys(_RATES), **given})

    scoped = {"provider", "model", "tenant"}
    given = dict(limits or {})
    add(("global", ""), {name: value for name, value in given.items() if name not in scoped})
    for kind in sorted(scoped & given.keys()):
        by_name = given[kind]
        if not isinstance(by_name, Mapping):
            raise ConfigError(f"limits of {kind} are {by_name!r}: give a dict from name to limits")
        for name, of_name in by_name.items():
            if not isinstance(name, str) or not name or ("*" in name and name != "*"):
                raise ConfigError(f"limits of {kind} name {name!r}: give a {kind}'s name, or '*' for each of them")
            if not isinstance(of_name, Mapping):
                raise ConfigError(f"limits of {kind} {name!r} are {of_name!r}: give a dict, as {{'concurrency': 4}}")
            add((kind, name), of_name)
    return rows


class RequestQueue(_RequestQueue):
    """A queue of requests to language models: nothing lost, nobody starved.

    Order: four priorities, oldest first inside one; a request that waits rises one class every `ageing_seconds`;
    inside a class, tenants take turns by weight. Delivery is at least once: a request that is not acked within
    `lease_seconds` is handed out again, and after `max_attempts` goes to the dead letters.

    Args:
        url: `memory://`; `sqlite:///FILE` for a queue that outlives the process, and that processes of one machine
            share; `redis://HOST`, `rediss://`, `redis+cluster://`, `redis+sentinel://` or `upstash://` for one that
            processes on many machines share (see docs/redis.md).
        name: names the queue inside its store.
        max_size: the most requests that may be open; a put then waits, or raises QueueFull at its timeout.
        max_bytes: the same for bytes of payload.
        lease_seconds: how long a lease lasts unless it is extended.
        max_attempts: how often a request is handed out.
        ageing_seconds: how long a request waits before it rises a class.
        keep_results_seconds: how long the outcome of a finished request is kept.
        keep_keys_seconds: how long the key of a finished request is remembered.
        limits: see `limit_rules`.
        weights: the shares of tenants inside a class, 1 where none is given.
        seed: makes the jitter of the backoff repeatable.

    Raises:
        ValueError: a setting is out of its range.
        ConfigError: the url or a limit is not valid.
        StoreError: the file cannot be used, or the server not be reached.

    >>> q = RequestQueue()
    >>> id = q.put({"question": "scope 1 emissions in 2023?"}, priority="high", tenant="acme")
    >>> with q.get() as job:
    ...     print(job.payload["question"], job.priority, job.attempt)
    scope 1 emissions in 2023? high 1
    >>> q.status(id)
    'done'
    """

    # Without a dict of its own, its methods are found faster.
    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        url: str = "memory://",
        *,
        name: str = "default",
        max_size: int | None = None,
        max_bytes: int | None = None,
        lease_seconds: Seconds = 60.0,
        max_attempts: int = 5,
        ageing_seconds: Seconds = 30.0,
        keep_results_seconds: Seconds = 300.0,
        keep_keys_seconds: Seconds = 86_400.0,
        limits: Limits | None = None,
        weights: Mapping[str, int] | None = None,
        seed: int | None = None,
    ) -> RequestQueue:
        """Open a queue."""
        return super().__new__(
            cls,
            url,
            name=name,
            max_size=max_size,
            max_bytes=max_bytes,
            lease_seconds=lease_seconds,
            max_attempts=max_attempts,
            ageing_seconds=ageing_seconds,
            keep_results_seconds=keep_results_seconds,
            keep_keys_seconds=keep_keys_seconds,
            limits=limit_rules(limits),
            weights=list((weights or {}).items()),
            seed=seed,
        )

    async def aput(
        self,
        payload: Json | bytes,
        *,
        priority: str | int = "normal",
        tenant: str | None = None,
        delay: Seconds | None = None,
        deadline: Seconds | datetime | None = None,
        key: str | None = None,
        max_attempts: int | None = None,
        timeout: Seconds | None = None,
    ) -> str:
        """As `put`, for asyncio; costs no turn of the event loop where there is room in memory."""
        request = self._try_put(payload, priority, tenant, delay, deadline, key, max_attempts, timeout)
        if request is None:
            await asyncio.sleep(0)
            options = (priority, tenant, delay, deadline, key, max_attempts, timeout)
            request = self._try_put(payload, *options)
            if request is None:
                (request,) = await self._put_many_future([payload], *options)
        return request

    async def aput_many(
        self,
        payloads: Iterable[Json | bytes],
        *,
        priority: str | int = "normal",
        tenant: str | None = None,
        delay: Seconds | None = None,
        deadline: Seconds | datetime | None = None,
        key: str | None = None,
        max_attempts: int | None = None,
        timeout: Seconds | None = None,
    ) -> list[str]:
        """As `put_many`, for asyncio; costs no turn of the event loop where there is room in memory."""
        if self._is_turn_over():
            await asyncio.sleep(0)
        return await self._put_many_future(payloads, priority, tenant, delay, deadline, key, max_attempts, timeout)

    async def aget(self, timeout: Seconds | None = None) -> Lease:
        """As `get`, for asyncio; what is there costs no turn of the event loop, a cancelled wait takes nothing."""
        lease = self._try_get(timeout)
        if lease is None:
            await asyncio.sleep(0)
            lease = self._try_get(timeout)
            if lease is None:
                (lease,) = await self._get_many_future(1, timeout)
                lease._accept()
        return lease

    async def aget_many(self, n: int, timeout: Seconds | None = None) -> list[Lease]:
        """As `get_many`, for asyncio; those that are there cost no turn of the event loop."""
        if self._is_turn_over():
            await asyncio.sleep(0)
        leases = await self._get_many_future(n, timeout)
        for lease in leases:
            lease._accept()
        return leases

    async def aresult(self, id: str, timeout: Seconds | None = None) -> Any:
        """As `result`, for asyncio."""
        return await self._result_future(id, timeout)

    async def astatus(self, id: str) -> str:
        """As `status`, for asyncio: a file is read beside the event loop."""
        return await self._status_future(id)

    async def acancel(self, id: str) -> bool:
        """As `cancel`, for asyncio."""
        return await self._cancel_future(id)

    async def arequeue(self, id: str) -> None:
        """As `requeue`, for asyncio."""
        await self._requeue_future(id)

    async def adead(self) -> list[DeadLetter]:
        """As `dead`, for asyncio."""
        return await self._dead_future()

    async def apause(self) -> None:
        """As `pause`, for asyncio."""
        await self._pause_future(True)

    async def aresume(self) -> None:
        """As `resume`, for asyncio."""
        await self._pause_future(False)

    async def adrain(self, timeout: Seconds | None = None) -> None:
        """As `drain`, for asyncio."""
        await self._drain_future(timeout)

    async def astats(self) -> QueueStats:
        """As `stats`, for asyncio."""
        return await self._stats_future()

    def _repr_html_(self) -> str:
        return views.queue(self)


# The twins of a lease that wait. A class of Rust cannot have a plain `async def`, so it gets them here.


async def _aack(self: Lease, result: Any = None, *, tokens: int | None = None) -> None:
    """As `ack`, for asyncio: the event loop turns while a disk is waited for."""
    pending = self._ack_future(result, tokens)
    if pending is not None:
        await pending


async def _anack(self: Lease, error: object = None, *, delay: Seconds | None = None, retry: bool = True) -> None:
    """As `nack`, for asyncio: the event loop turns while a disk is waited for."""
    pending = self._nack_future(error, delay, retry)
    if pending is not None:
        await pending


async def _aextend(self: Lease, seconds: Seconds) -> None:
    """As `extend`, for asyncio: the event loop turns while a disk is waited for."""
    pending = self._extend_future(seconds)
    if pending is not None:
        await pending


async def _aenter(self: Lease) -> Lease:
    """The lease itself: at the end of the block it is acked, or nacked where that raised."""
    return self


async def _aexit(
    self: Lease, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
) -> bool:
    """Ack, or nack where the block raised."""
    try:
        if kind is None:
            await self.aack()
        else:
            await self.anack(f"{kind.__name__}: {error}")
    except LeaseLost:
        # It may have been settled inside the block; and an error of the block is told rather than this one.
        if kind is None and not self._is_settled():
            raise
    return False


for _name, _twin in {
    "aack": _aack,
    "anack": _anack,
    "aextend": _aextend,
    "__aenter__": _aenter,
    "__aexit__": _aexit,
}.items():
    _twin.__name__ = _name
    _twin.__qualname__ = f"Lease.{_name}"
    setattr(Lease, _name, _twin)
