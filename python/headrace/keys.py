"""Keys of tenants, for an endpoint: random, shown once, kept as a digest; each with what it may do."""

from __future__ import annotations

from headrace._core.gateway import AccessKey, KeyRing

__all__ = ["AccessKey", "KeyRing"]
