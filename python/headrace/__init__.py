"""headrace: the layer between a Python ESG application and the language-model providers it pays."""

from __future__ import annotations

from headrace import embedders as embedders
from headrace import errors as _errors
from headrace import providers as providers
from headrace._core import __version__
from headrace._core.cache import CacheHit, Explanation
from headrace._core.cost import CostRecord, PriceTable, Usage
from headrace.cache import SemanticCache, scope
from headrace.client import Client, Response
from headrace.costs import CostTracker
from headrace.errors import *  # noqa: F403
from headrace.queue import Lease, Priority, RequestQueue

__all__ = [
    "CacheHit",
    "Client",
    "CostRecord",
    "CostTracker",
    "Explanation",
    "Lease",
    "PriceTable",
    "Priority",
    "RequestQueue",
    "Response",
    "SemanticCache",
    "Usage",
    "__version__",
    "embedders",
    "providers",
    "scope",
    *(name for name in vars(_errors) if name[0].isupper()),
]
