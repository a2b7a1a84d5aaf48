"""headrace: the layer between a Python ESG application and the language-model providers it pays."""

from __future__ import annotations

from headrace import embedders as embedders
from headrace import keys as keys
from headrace import plots as plots
from headrace import providers as providers
from headrace import telemetry as telemetry
from headrace import verifiers as verifiers
from headrace._core import __version__
from headrace._core.cache import CacheHit, Explanation
from headrace._core.cost import CostRecord, PriceTable, Usage
from headrace.cache import SemanticCache, scope
from headrace.client import Client, Response
from headrace.cost import CostTracker
from headrace.errors import (
    AuthenticationError,
    BudgetExceeded,
    CircularComputation,
    ConfigError,
    ContextLengthExceeded,
    EmbeddingError,
    HeadraceError,
    LeaseLost,
    ProviderError,
    ProviderUnavailable,
    QueueClosed,
    QueueFull,
    RateLimited,
    RequestCancelled,
    RequestFailed,
    StoreError,
    Timeout,
    UnknownModel,
)
from headrace.frame import MapEstimate, amap, map  # noqa: A004 - the contract's name; nobody imports * from here
from headrace.gateway import Server, httpx_transport
from headrace.queue import Lease, Priority, RequestQueue

__all__ = [
    "AuthenticationError",
    "BudgetExceeded",
    "CacheHit",
    "CircularComputation",
    "Client",
    "ConfigError",
    "ContextLengthExceeded",
    "CostRecord",
    "CostTracker",
    "EmbeddingError",
    "Explanation",
    "HeadraceError",
    "Lease",
    "LeaseLost",
    "MapEstimate",
    "PriceTable",
    "Priority",
    "ProviderError",
    "ProviderUnavailable",
    "QueueClosed",
    "QueueFull",
    "RateLimited",
    "RequestCancelled",
    "RequestFailed",
    "RequestQueue",
    "Response",
    "SemanticCache",
    "Server",
    "StoreError",
    "Timeout",
    "UnknownModel",
    "Usage",
    "__version__",
    "amap",
    "embedders",
    "httpx_transport",
    "keys",
    "map",
    "plots",
    "providers",
    "scope",
    "telemetry",
    "verifiers",
]
