"""Traces and metrics of a client's calls for OpenTelemetry, under its conventions for generative AI; opt-in.

The spans go where the application's own go: `opentelemetry.trace` decides, so OTLP, a console or nothing. A call is a
child of the span that is current where it is asked; at the endpoint, of the span in the request's `traceparent`.
Needs `pip install 'headrace[otel]'`.
"""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Any

from headrace._extras import command
from headrace._span import read_spans_by
from headrace.errors import ConfigError

if TYPE_CHECKING:
    from headrace._core.client import CallFeed
    from headrace.client import Client

__all__ = ["Telemetry", "opentelemetry"]

_DURATIONS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_FIRST_CHUNKS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
_TOKENS = [4**power for power in range(14)]

# The names of the conventions, and under which ours tell them.
_ATTRIBUTES = {
    "gen_ai.operation.name": "operation",
    "gen_ai.provider.name": "provider",
    "gen_ai.request.model": "model",
    "gen_ai.response.model": "response_model",
    "error.type": "error",
}
_OF_SPANS = {
    "gen_ai.response.id": "response_id",
    "gen_ai.response.finish_reasons": "finish_reasons",
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "headrace.tenant": "tenant",
    "headrace.cache": "cache",
    "headrace.waited": "waited",
    "headrace.attempts": "attempts",
    "headrace.time_to_first_chunk": "first_chunk",
    "headrace.cost": "cost",
    "headrace.saved": "saved",
}


def opentelemetry(
    client: Client, *, tracer_provider: Any = None, meter_provider: Any = None, capacity: int = 4096
) -> Telemetry:
    """Tell OpenTelemetry of each call of a client: a span, its duration, its tokens, its cost.

    Calls are told by a thread of its own, so that none waits; no question, answer or key is in what is told.

    Args:
        client: the client.
        tracer_provider: what makes tracers; None for the application's own.
        meter_provider: what makes meters; None for the application's own.
        capacity: how many calls may wait to be told; further ones are counted in `lost`.

    Raises:
        ConfigError: OpenTelemetry's API is not installed, or capacity is below 1.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> with headrace.telemetry.opentelemetry(client) as telemetry:
    ...     _ = client.chat("simulated/echo", "Which scope is travel?")
    >>> telemetry.lost
    0
    """
    if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
        raise ConfigError(f"capacity is {capacity!r}: give a whole number of 1 or more")
    try:
        return Telemetry(client._feed(capacity), tracer_provider, meter_provider)
    except ImportError:
        raise ConfigError(f"OpenTelemetry's API is not installed: {command('otel')}") from None


class Telemetry:
    """Tells OpenTelemetry of calls until it is closed; at the end of the process it closes itself."""

    def __init__(self, feed: CallFeed, tracer_provider: Any, meter_provider: Any) -> None:
        from opentelemetry import metrics, trace

        self._feed = feed
        self._tracer = trace.get_tracer("headrace", tracer_provider=tracer_provider)
        meter = metrics.get_meter("headrace", meter_provider=meter_provider)
        histogram = meter.create_histogram
        self._duration = histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._first_chunk = histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to receive the first chunk of a stream.",
            explicit_bucket_boundaries_advisory=_FIRST_CHUNKS,
        )
        self._tokens = histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._cost = meter.create_counter("headrace.cost", unit="USD", description="What calls cost.")
        self._saved = meter.create_counter("headrace.saved", unit="USD", description="What the cache saved.")
        read_spans_by(_current_span)
        self._thread = threading.Thread(target=self._tell_all, name="headrace-telemetry", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def lost(self) -> int:
        """How many calls were not told, since telling them took too long."""
        return self._feed.lost

    def close(self) -> None:
        """Tell what is over, and stop."""
        atexit.unregister(self.close)
        self._feed.close()
        self._thread.join()

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _tell_all(self) -> None:
        while (call := self._feed.next()) is not None:
            self._tell(call)

    def _tell(self, call: dict[str, Any]) -> None:
        shared = _attributes(call, _ATTRIBUTES)
        self._tell_span(call, {**shared, **_attributes(call, _OF_SPANS)})
        self._duration.record(call["duration"], {**shared, "headrace.cache": call["cache"] or "miss"})
        if call["first_chunk"] is not None:
            self._first_chunk.record(call["first_chunk"], shared)
        for kind in ("input", "output"):
            if call[f"{kind}_tokens"] is not None:
                self._tokens.record(call[f"{kind}_tokens"], {**shared, "gen_ai.token.type": kind})
        self._cost.add(float(call["cost"]), shared)
        self._saved.add(float(call["saved"]), shared)

    def _tell_span(self, call: dict[str, Any], attributes: dict[str, Any]) -> None:
        from opentelemetry import context, trace

        name = f"{call['operation']} {call['model']}" if call["model"] else call["operation"]
        span = self._tracer.start_span(
            name,
            context=_context_of(call["parent"]) or context.Context(),
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=call["start_ns"],
        )
        if call["error"] is not None:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end(call["end_ns"])


def _attributes(call: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {name: call[ours] for name, ours in names.items() if call[ours] not in (None, [])}


def _current_span() -> str | None:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _context_of(parent: str | None) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
