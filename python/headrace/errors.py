"""Every exception that headrace raises on purpose.

All derive from `HeadraceError`. Those that have a counterpart among Python's own exceptions derive from that too,
so that `except ValueError` or `except TimeoutError` catches them.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "BudgetExceeded",
    "CircularComputation",
    "ConfigError",
    "EmbeddingError",
    "HeadraceError",
    "LeaseLost",
    "ProviderError",
    "ProviderUnavailable",
    "QueueClosed",
    "QueueFull",
    "RateLimited",
    "RequestCancelled",
    "RequestFailed",
    "StoreError",
    "Timeout",
    "UnknownModel",
]


class HeadraceError(Exception):
    """The base of them all."""


class QueueFull(HeadraceError):
    """The queue holds as much as it may, and did not get room in time."""


class QueueClosed(HeadraceError):
    """The queue was closed."""


class LeaseLost(HeadraceError):
    """The lease ended before it was acked, nacked or extended; another worker may have the request."""


class RequestFailed(HeadraceError):
    """The request went to the dead letters."""


class RequestCancelled(HeadraceError):
    """The request was cancelled."""


class BudgetExceeded(HeadraceError):
    """The call does not fit into a budget; nothing was sent or spent."""


class UnknownModel(HeadraceError):
    """No provider serves the model."""


class ProviderError(HeadraceError):
    """A provider did not answer, or answered with an error.

    Attributes:
        status_code: the HTTP status, or None where there was no reply.
        retry_after: seconds that the provider asks to wait, or None.
        request_id: the provider's name for the request, or None.
        is_retryable: whether the same call may succeed later.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        is_retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.retry_after = retry_after
        self.request_id = request_id
        self.is_retryable = is_retryable


class RateLimited(ProviderError):
    """HTTP 429: too many requests or tokens."""


class AuthenticationError(ProviderError):
    """HTTP 401 or 403: the key is missing, wrong, or lacks a right."""


class ProviderUnavailable(ProviderError):
    """No connection, a time-out, HTTP 5xx, or a reply that cannot be read."""


class EmbeddingError(HeadraceError, ValueError):
    """An embedding is not a finite, non-zero vector of the expected dimension."""


class CircularComputation(HeadraceError, RecursionError):
    """A computation for the cache asks for its own answer, itself or through others: it would wait for ever."""


class Timeout(HeadraceError, TimeoutError):
    """The time that the caller allowed is over."""


class StoreError(HeadraceError):
    """A file or server that keeps state did not do what was asked."""


class ConfigError(HeadraceError, ValueError):
    """A setting is unknown or has no valid value."""
