"""What a client counts of its calls: `client.metrics()`, and `/metrics` of the endpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from headrace.cache import CacheStats
from headrace.queue import DurationSummary, QueueStats

__all__ = ["CallMetrics", "Metrics"]


@dataclass(frozen=True)
class CallMetrics:
    """The figures of the calls that agree in operation, provider, model, cache and error.

    Args:
        operation: `chat` or `embeddings`.
        provider: the provider; `headrace` where the calls came to none.
        model: the model, without its provider; `other` where it is not told apart.
        cache: `exact` or `semantic` where the cache answered; else None.
        error: what the calls failed by, in one word such as `rate_limited` or `cancelled`; None: they did not fail.
        calls: how many there were.
        attempts: how often a provider was asked.
        retries: attempts beyond the first of a call.
        waited: seconds in the queue, all together.
        duration: seconds from the call to its last word.
        first_chunk: of streams, seconds to the first word.
        input_tokens: tokens that a provider billed as input.
        output_tokens: tokens that a provider billed as output.
        cost: what they cost, in US dollars.
        saved: what the cache saved, in US dollars.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> _ = client.chat("simulated/echo", "Which scope is travel?")
    >>> client.metrics().calls[0].operation
    'chat'
    """

    operation: str
    provider: str
    model: str
    cache: str | None
    error: str | None
    calls: int
    attempts: int
    retries: int
    waited: float
    duration: DurationSummary
    first_chunk: DurationSummary
    input_tokens: int
    output_tokens: int
    cost: Decimal
    saved: Decimal


@dataclass(frozen=True)
class Metrics:
    """The figures of a client at one moment. It is a value: it can be pickled, compared, and turned into a dict.

    Args:
        calls: the calls that are over, by operation, provider, model, cache and error.
        in_flight: how many calls run now.
        failures: how often attempts failed, by provider and kind, those that a retry mended among them.
        providers: whether calls go through, by provider: `closed` (they do), `open` or `half_open`.
        queue: the figures of the queue.
        cache: the figures of the cache.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> client.metrics().providers
    {'simulated': 'closed'}
    """

    calls: tuple[CallMetrics, ...]
    in_flight: int
    failures: dict[str, dict[str, int]]
    providers: dict[str, str]
    queue: QueueStats
    cache: CacheStats
    _text: str = field(repr=False, compare=False, default="")

    @classmethod
    def of(cls, figures: dict[str, Any], queue: QueueStats, cache: CacheStats, text: str) -> Metrics:
        """From what the core tells."""
        calls = tuple(_call_metrics(series) for series in figures["calls"])
        return cls(calls, figures["in_flight"], figures["failures"], figures["providers"], queue, cache, text)

    def to_prometheus(self) -> str:
        """The text of a scrape, with the names of OpenTelemetry's conventions where these have one.

        >>> import headrace
        >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
        >>> "headrace_calls_in_flight 0" in client.metrics().to_prometheus()
        True
        """
        return self._text

    def to_dict(self) -> dict[str, Any]:
        """All of it, as values that JSON has: amounts of money are texts.

        >>> import headrace
        >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
        >>> client.metrics().to_dict()["in_flight"]
        0
        """
        told: dict[str, Any] = _plain({name: value for name, value in asdict(self).items() if name != "_text"})
        return told


def _call_metrics(series: dict[str, Any]) -> CallMetrics:
    return CallMetrics(**{**series, "cost": Decimal(series["cost"]), "saved": Decimal(series["saved"])})


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
