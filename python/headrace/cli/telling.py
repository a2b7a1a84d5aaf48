"""OpenTelemetry of `headrace serve`: whichever client answers, its calls are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from headrace import _otlp
from headrace.errors import ConfigError
from headrace.telemetry import opentelemetry

if TYPE_CHECKING:
    from headrace.client import Client
    from headrace.telemetry import Telemetry

__all__ = ["Telling"]

_log = logging.getLogger("headrace")


class Telling:
    """Tells OpenTelemetry of the calls of a client, and of the next one after a reload.

    Args:
        is_asked: whether it was asked for by name; then what is missing is an error, else a warning.

    Raises:
        ConfigError: it was asked for, and cannot be.
    """

    def __init__(self, is_asked: bool) -> None:
        self._exports: _otlp.Exports | None = None
        self._told: list[tuple[Client, Telemetry]] = []
        if not (is_asked or _otlp.asked_for()):
            return
        try:
            self._exports = _otlp.Exports()
        except ConfigError as error:
            if is_asked:
                raise
            _log.warning("no traces are sent: %s", error)

    @property
    def is_on(self) -> bool:
        """Whether anything is told."""
        return self._exports is not None

    def of(self, client: Client) -> None:
        """Tell of this client's calls from now on; those that others still run are told as well.

        Args:
            client: the client that answers now.
        """
        if self._exports is None:
            return
        over = [one for one in self._told if not one[0].metrics().in_flight]
        self._told = [one for one in self._told if one not in over]
        for _, telemetry in over:
            telemetry.close()
        # A provider that is None would be the application's own, and there is none here that sends.
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.trace import NoOpTracerProvider

        tracers, meters = self._exports.tracers, self._exports.meters
        telemetry = opentelemetry(
            client,
            tracer_provider=NoOpTracerProvider() if tracers is None else tracers,
            meter_provider=NoOpMeterProvider() if meters is None else meters,
        )
        self._told.append((client, telemetry))

    def close(self) -> None:
        """Send what is left."""
        for _, telemetry in self._told:
            telemetry.close()
        self._told.clear()
        if self._exports is not None:
            self._exports.close()
