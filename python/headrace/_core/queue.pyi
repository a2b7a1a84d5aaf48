from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeAlias

from headrace.queue import DeadLetter, QueueStats
from typing_extensions import Self, disjoint_base, final

_Seconds: TypeAlias = float | timedelta

@disjoint_base
class RequestQueue:
    def __new__(
        cls,
        url: str = "memory://",
        *,
        name: str = "default",
        max_size: int | None = None,
        max_bytes: int | None = None,
        lease_seconds: _Seconds | None = None,
        max_attempts: int = 5,
        ageing_seconds: _Seconds | None = None,
        keep_results_seconds: _Seconds | None = None,
        keep_keys_seconds: _Seconds | None = None,
        limits: Sequence[dict[str, object]] | None = None,
        weights: Sequence[tuple[str, int]] | None = None,
        seed: int | None = None,
    ) -> Self: ...
    @property
    def url(self) -> str:
        """The address it was opened with."""
    @property
    def name(self) -> str:
        """Its name inside the store."""
    def put(
        self,
        payload: Any,
        *,
        priority: str | int = "normal",
        tenant: str | None = None,
        delay: _Seconds | None = None,
        deadline: _Seconds | datetime | None = None,
        key: str | None = None,
        max_attempts: int | None = None,
        timeout: _Seconds | None = None,
    ) -> str:
        """Put a request and give its id; a durable queue has it on disk then.

        Args:
            payload: any JSON value, or bytes; it comes back as it went in. What JSON would change (a tuple, an enum,
                a key that is no text, NaN) is refused.
            priority: critical, high, normal or low, or 0 to 3.
            tenant: whose it is.
            delay: seconds, or a timedelta, until it may be handed out.
            deadline: seconds, a timedelta, or an aware datetime after which it is dead with the reason `deadline`.
            key: a put whose key was seen before, done or not, puts nothing and gives the first id.
            max_attempts: how often it is handed out; the queue's own where None.
            timeout: how long to wait for room in a full queue; None waits as long as it takes.

        Raises:
            QueueFull: there was no room in time.
            QueueClosed: the queue is closed.
            TypeError: the payload is neither JSON nor bytes, or would come back changed.
            ValueError: an option is out of its range, or the payload has no JSON form.
        """
    def put_many(
        self,
        payloads: Iterable[Any],
        *,
        priority: str | int = "normal",
        tenant: str | None = None,
        delay: _Seconds | None = None,
        deadline: _Seconds | datetime | None = None,
        key: str | None = None,
        max_attempts: int | None = None,
        timeout: _Seconds | None = None,
    ) -> list[str]:
        """Put requests, all or none; see `put`."""
    def get(self, timeout: _Seconds | None = None) -> Lease:
        """The next request, waiting for one.

        Raises:
            Timeout: none came in time.
            QueueClosed: the queue is closed.
        """
    def get_many(self, n: int, timeout: _Seconds | None = None) -> list[Lease]:
        """Up to `n` requests, as many as there are, waiting for the first."""
    def result(self, id: str, timeout: _Seconds | None = None) -> Any:
        """What the ack was given, waiting until the request is finished.

        Raises:
            RequestFailed: it went to the dead letters.
            RequestCancelled: it was cancelled.
            Timeout: it was not finished in time.
            ValueError: the id is unknown, or what became of it is no longer kept.
        """
    def status(self, id: str) -> str:
        """One of waiting, scheduled, leased, done, dead, cancelled."""
    def cancel(self, id: str) -> bool:
        """Cancel an open request, leased ones too; whether it was open."""
    def requeue(self, id: str) -> None:
        """Put a dead letter back, with all its attempts before it."""
    def dead(self) -> list[DeadLetter]:
        """The dead letters: id, payload, priority, tenant, reason, history."""
    def pause(self) -> None:
        """Stop handing out, in every process that shares the queue; what is leased goes on."""
    def resume(self) -> None:
        """Hand out again."""
    def drain(self, timeout: _Seconds | None = None) -> None:
        """Wait until nothing is open; Timeout where it takes longer."""
    def close(self) -> None:
        """End the queue for everyone who shares this object; a durable one keeps its requests."""
    def stats(self) -> QueueStats:
        """Counts by state, priority and tenant; enqueue, wait and run times in seconds."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def _try_put(
        self,
        payload: Any,
        priority: str | int | None,
        tenant: str | None,
        delay: _Seconds | None,
        deadline: _Seconds | datetime | None,
        key: str | None,
        max_attempts: int | None,
        timeout: _Seconds | None,
    ) -> str | None: ...
    def _is_turn_over(self) -> bool: ...
    def _put_many_future(
        self,
        payloads: Iterable[Any],
        priority: str | int | None,
        tenant: str | None,
        delay: _Seconds | None,
        deadline: _Seconds | datetime | None,
        key: str | None,
        max_attempts: int | None,
        timeout: _Seconds | None,
    ) -> Awaitable[list[str]]: ...
    def _try_get(self, timeout: _Seconds | None) -> Lease | None: ...
    def _get_many_future(self, n: int, timeout: _Seconds | None) -> Awaitable[list[Lease]]: ...
    def _result_future(self, id: str, timeout: _Seconds | None) -> Awaitable[Any]: ...
    def _drain_future(self, timeout: _Seconds | None) -> Awaitable[None]: ...
    def _status_future(self, id: str) -> Awaitable[str]: ...
    def _cancel_future(self, id: str) -> Awaitable[bool]: ...
    def _requeue_future(self, id: str) -> Awaitable[None]: ...
    def _dead_future(self) -> Awaitable[list[DeadLetter]]: ...
    def _stats_future(self) -> Awaitable[QueueStats]: ...
    def _pause_future(self, paused: bool) -> Awaitable[None]: ...

@final
class Lease:
    """The right to work on a request for a time. In a `with` block: ack on success, nack on an exception."""

    @property
    def id(self) -> str:
        """The request's id."""
    @property
    def payload(self) -> Any:
        """What was put."""
    @property
    def priority(self) -> str:
        """How urgent it was put."""
    @property
    def tenant(self) -> str:
        """Whose it is."""
    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
    @property
    def enqueued_at(self) -> datetime:
        """When it was put, in UTC."""
    @property
    def waited(self) -> float:
        """Seconds that it was ready before it was handed out."""
    def ack(self, result: Any = None, *, tokens: int | None = None) -> None:
        """The work is done; `tokens` corrects the estimate that counts against limits.

        Raises:
            LeaseLost: the lease's time is over.
        """
    def nack(self, error: object = None, *, delay: _Seconds | None = None, retry: bool = True) -> None:
        """The work failed: again after `delay`, or by exponential backoff with full jitter; dead without retry."""
    def extend(self, seconds: _Seconds) -> None:
        """Make the lease last that long from now."""
    async def aack(self, result: Any = None, *, tokens: int | None = None) -> None:
        """As `ack`, for asyncio: the event loop turns while a disk is waited for."""
    async def anack(self, error: object = None, *, delay: _Seconds | None = None, retry: bool = True) -> None:
        """As `nack`, for asyncio: the event loop turns while a disk is waited for."""
    async def aextend(self, seconds: _Seconds) -> None:
        """As `extend`, for asyncio: the event loop turns while a disk is waited for."""
    def _accept(self) -> None: ...
    def _is_settled(self) -> bool: ...
    def _ack_future(self, result: Any, tokens: int | None) -> Awaitable[None] | None: ...
    def _nack_future(self, error: object, delay: _Seconds | None, retry: bool) -> Awaitable[None] | None: ...
    def _extend_future(self, seconds: _Seconds) -> Awaitable[None] | None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool: ...
