"""OpenTelemetry for a process that has no application around it: providers that export over OTLP, from its variables.

Needs `pip install 'headrace[otlp]'`. All of it is set by OpenTelemetry's own environment variables.
"""

from __future__ import annotations

import os
from typing import Any, Final

from headrace._extras import need
from headrace.errors import ConfigError

__all__ = ["Exports", "asked_for"]

_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_SPOKEN: Final = "http/protobuf"


def asked_for() -> bool:
    """Whether the environment names a receiver, and does not turn the whole off."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_off and any(os.environ.get(name, "").strip() for name in _ENDPOINTS)


class Exports:
    """Providers of tracers and meters that export over OTLP; closed, they send what is left.

    Raises:
        ConfigError: OpenTelemetry's SDK or its exporter is not installed, or the environment asks for another protocol
            than HTTP.
    """

    def __init__(self) -> None:
        protocol = os.environ.get(_PROTOCOL, "").strip() or _SPOKEN
        if protocol != _SPOKEN:
            raise ConfigError(f"{_PROTOCOL} is {protocol!r}: give {_SPOKEN}, whose usual port is 4318, or unset it")
        what = "headrace serve --otel"
        sdk: dict[str, Any] = {
            name: need(f"opentelemetry.{name}", "otlp", what)
            for name in ("sdk.resources", "sdk.trace", "sdk.trace.export", "sdk.metrics", "sdk.metrics.export")
        }
        otlp = "opentelemetry.exporter.otlp.proto.http"
        spans = need(f"{otlp}.trace_exporter", "otlp", what).OTLPSpanExporter
        figures = need(f"{otlp}.metric_exporter", "otlp", what).OTLPMetricExporter
        resource = sdk["sdk.resources"].Resource.create(_named())
        self.tracers: Any = None
        self.meters: Any = None
        if _is_sent("OTEL_TRACES_EXPORTER"):
            self.tracers = sdk["sdk.trace"].TracerProvider(resource=resource)
            self.tracers.add_span_processor(sdk["sdk.trace.export"].BatchSpanProcessor(spans()))
        if _is_sent("OTEL_METRICS_EXPORTER"):
            reader = sdk["sdk.metrics.export"].PeriodicExportingMetricReader(figures())
            self.meters = sdk["sdk.metrics"].MeterProvider(metric_readers=[reader], resource=resource)

    def close(self) -> None:
        """Send what is left, and stop."""
        for provider in (self.tracers, self.meters):
            if provider is not None:
                provider.shutdown()


def _named() -> dict[str, str]:
    """A name of the service, where the environment gives none: what is given here would win over it."""
    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if is_named else {"service.name": "headrace"}


def _is_sent(variable: str) -> bool:
    return os.environ.get(variable, "otlp").strip().lower() != "none"
