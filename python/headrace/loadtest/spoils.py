"""Parts that are spoilt on purpose, to see that the suite finds them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import headrace

SPOILS = {
    "slow_queue": "every put takes 30 ms more",
    "dropped_requests": "one request in ten is thrown away",
    "double_puts": "one put in ten is taken twice",
    "priority_inversion": "one put in ten has the opposite priority",
    "guards_off": "the cache serves whatever is similar",
    "tenant_leak": "the cache serves a tenant what it keeps for another",
    "stale_cache": "the cache forgets that an answer is to expire",
    "wrong_price": "one model is charged a millionth of a cent too much",
    "double_booking": "one call in twenty is booked twice",
    "loose_budget": "a budget lets a tenth more through",
    "asks_twice": "the client asks the provider twice in one call of twenty",
    "swapped_answers": "one answer in twenty is to another's question",
    "cut_streams": "one answer of the provider in a hundred breaks off",
    "stalled_provider": "the provider takes three seconds for each answer",
    "slows_down": "answers take twice as long after some hundred of them",
    "leak": "every request leaves 64 KiB behind",
    "starved_generator": "the generator is late for what it sends",
}
_OPPOSITE = {"critical": "low", "high": "normal", "normal": "high", "low": "critical"}


class _Counting:
    """Tells every n-th call, so that what is spoilt is so on every machine and in every run."""

    def __init__(self, every: int) -> None:
        self._calls, self._every = itertools.count(1), every

    def hits(self) -> bool:
        return next(self._calls) % self._every == 0


_tenth, _twentieth = _Counting(10), _Counting(20)


class SlowQueue(headrace.RequestQueue):
    """A queue whose puts are slow."""

    def put(self, *args: Any, **options: Any) -> str:
        """Put, late."""
        time.sleep(0.03)
        return super().put(*args, **options)


class DroppingQueue(headrace.RequestQueue):
    """A queue that throws one request in ten away."""

    def put(self, *args: Any, **options: Any) -> str:
        """Put, or not."""
        id = super().put(*args, **options)
        if _tenth.hits():
            self.cancel(id)
        return id


class InvertingQueue(headrace.RequestQueue):
    """A queue that takes a tenth of what is urgent for what is not, and the other way round."""

    def put(self, *args: Any, **options: Any) -> str:
        """Put, perhaps at the wrong end."""
        if _tenth.hits():
            options["priority"] = _OPPOSITE[options.get("priority", "normal")]
        return super().put(*args, **options)


class DoublingQueue(headrace.RequestQueue):
    """A queue that takes one put in ten twice."""

    def put(self, *args: Any, **options: Any) -> str:
        """Put, perhaps once more."""
        if _tenth.hits():
            super().put(*args, **options)
        return super().put(*args, **options)


class LeakyCache(headrace.SemanticCache):
    """A cache for which all tenants are one."""

    def get(self, *args: Any, **options: Any) -> Any:
        """Look up what anybody has put."""
        return super().get(*args, **{**options, "tenant": "default"})


class StaleCache(headrace.SemanticCache):
    """A cache that keeps answers for ever."""

    def put(self, *args: Any, **options: Any) -> Any:
        """Keep, whatever was asked for."""
        return super().put(*args, **{**options, "ttl": None})


class LooseCosts(headrace.CostTracker):
    """A tracker whose budgets let a tenth more through."""

    def set_budget(self, limit: Any, **options: Any) -> None:
        """Set more than is asked for."""
        super().set_budget(Decimal(limit) * Decimal("1.1"), **options)


class SwappingClient(headrace.Client):
    """A client that gives one answer in twenty to the wrong question."""

    _last: Any = None

    def chat(self, *args: Any, **options: Any) -> Any:
        """Ask, and perhaps hear what another asked."""
        answer = super().chat(*args, **options)
        told = self._last if self._last is not None and _twentieth.hits() else answer
        self._last = answer
        return told


class TwiceAskingClient(headrace.Client):
    """A client that asks one question in twenty twice, and books it once."""

    def chat(self, *args: Any, **options: Any) -> Any:
        """Ask, perhaps once more, at nobody's cost."""
        if _twentieth.hits():
            self._unbooked.chat(*args, **options)
        return super().chat(*args, **options)

    _unbooked: headrace.Client

    @classmethod
    def beside(cls, answering: list[Any], **settings: Any) -> TwiceAskingClient:
        """One with a second client that asks the same providers."""
        made = cls(answering, **settings)
        made._unbooked = headrace.Client(answering)
        return made


class DoubleBookingClient(headrace.Client):
    """A client that books one call in twenty twice."""

    def chat(self, model: str, *args: Any, **options: Any) -> Any:
        """Ask, and perhaps pay again."""
        answer = super().chat(model, *args, **options)
        if _twentieth.hits():
            self.costs.record(model, answer.usage)
        return answer


class SlowingClient(headrace.Client):
    """A client whose answers take 20 ms more after the first five hundred."""

    _calls: itertools.count[int] | None = None

    def chat(self, *args: Any, **options: Any) -> Any:
        """Ask; the longer it runs, the later it answers."""
        self._calls = self._calls or itertools.count()
        if next(self._calls) >= 500:
            time.sleep(0.02)
        return super().chat(*args, **options)


QUEUES = {
    "slow_queue": SlowQueue,
    "dropped_requests": DroppingQueue,
    "double_puts": DoublingQueue,
    "priority_inversion": InvertingQueue,
}
CACHES = {"tenant_leak": LeakyCache, "stale_cache": StaleCache}
CLIENTS: dict[str, Callable[..., headrace.Client]] = {
    "asks_twice": TwiceAskingClient.beside,
    "swapped_answers": SwappingClient,
    "double_booking": DoubleBookingClient,
    "slows_down": SlowingClient,
}
# Where in the order of requests the provider breaks an answer off.
CUT = {"schedule": [{"fault": "truncate", "from": n, "until": n + 1} for n in range(50, 20_000, 100)]}
