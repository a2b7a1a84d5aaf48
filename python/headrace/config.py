"""`headrace.toml`: what an endpoint and its client are made of, read from a file and made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace import embedders, providers, verifiers
from headrace._core.cost import PriceTable
from headrace._core.gateway import read_config
from headrace.cache import SemanticCache
from headrace.cost import CostTracker
from headrace.errors import ConfigError
from headrace.queue import RequestQueue

if TYPE_CHECKING:
    from headrace.client import Client

__all__ = ["Configured", "Parts", "load"]


@dataclass(frozen=True)
class Parts:
    """What a client is made of, each with the section that it was made from: a reload keeps what has not changed."""

    queue: RequestQueue
    cache: SemanticCache
    costs: CostTracker
    sections: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Configured:
    """A file that was read, and the client that it describes."""

    client: Client
    server: Mapping[str, Any]
    parts: Parts


def load(path: str | os.PathLike[str], before: Parts | None = None) -> Configured:
    r"""Read a file and make the client that it describes.

    Args:
        path: the file.
        before: the parts of the client before, of a reload: what their sections still say the same of is kept, with all
            that is in it.

    Returns:
        The client, and how the endpoint is to listen.

    Raises:
        ConfigError: there is no such file, a key is unknown or has no valid value (with line and column), or a variable
            that is to hold a key holds none.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("headrace.toml").write_text('[[providers]]\nname = "simulated"\n[server]\nport = 9000\n')
        >>> made = load("headrace.toml")
        >>> made.client.chat("simulated/echo", "Which scope is travel?").text, made.server["port"]
        ('Which scope is travel?', 9000)
    """
    from headrace.client import Client

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{os.fspath(path)} cannot be read: {error}") from error
    said = read_config(text, os.fspath(path))
    parts = _parts(said, before)
    client = Client(
        [_provider(row) for row in said["providers"]] or None,
        cache=parts.cache,
        queue=parts.queue,
        costs=parts.costs,
        fallbacks=said["fallbacks"],
        routes=said["routes"],
        max_attempts=said["client"]["max_attempts"],
        max_retry_share=said["client"]["max_retry_share"],
    )
    _set_budgets(parts.costs, said["budgets"], before)
    return Configured(client, said["server"], parts)


def _parts(said: Mapping[str, Any], before: Parts | None) -> Parts:
    """The parts, made anew where what is said of them has changed."""
    own = {"queue": (said["queue"], said["limits"]), "costs": said["costs"]}
    # The model that verifies is asked through the providers, the queue and the ledger of the file.
    asks = (own, said["providers"]) if said["cache"]["verifier_model"] else None
    sections = {**own, "cache": (said["cache"], asks)}
    kept = before.sections if before else {}
    queue = before.queue if before and kept["queue"] == sections["queue"] else _queue(*sections["queue"])
    costs = before.costs if before and kept["costs"] == sections["costs"] else _costs(sections["costs"])
    if before and kept["cache"] == sections["cache"]:
        cache = before.cache
    else:
        cache = _cache(said["cache"], lambda: _asking(said, queue, costs))
    return Parts(queue=queue, cache=cache, costs=costs, sections={**sections, "budgets": said["budgets"]})


def _asking(said: Mapping[str, Any], queue: RequestQueue, costs: CostTracker) -> Client:
    """The client that a verifier asks: it shares the queue, its limits and the ledger."""
    from headrace.client import Client

    return Client([_provider(row) for row in said["providers"]] or None, queue=queue, costs=costs)


def _queue(said: Mapping[str, Any], limits: Mapping[str, Any]) -> RequestQueue:
    given = {name: limit for name, limit in limits.items() if limit}
    return RequestQueue(said["url"], name=said["name"], max_size=said["max_size"], limits=given or None)


_EMBEDDERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "static": embedders.static,
    "minilm": embedders.minilm,
}


def _cache(said: Mapping[str, Any], asking: Callable[[], Client]) -> SemanticCache:
    return SemanticCache(
        _EMBEDDERS[said["embedder"]](),
        threshold=said["threshold"],
        verifier=_verifier(said, asking),
        ttl=said["ttl"],
        max_entries=said["max_entries"],
        max_bytes=said["max_bytes"],
        url=said["url"],
    )


def _verifier(said: Mapping[str, Any], asking: Callable[[], Client]) -> Any:
    first = None if said["verifier"] == "none" else said["verifier"]
    model, budget, mode = (said[f"verifier_{name}"] for name in ("model", "budget", "mode"))
    if model is None:
        return first
    return verifiers.llm(asking(), model=model, budget=budget, mode=mode, first=first)


def _costs(said: Mapping[str, Any]) -> CostTracker:
    prices = PriceTable.load(said["prices"]) if said["prices"] else None
    return CostTracker(prices=prices, url=said["url"])


def _set_budgets(costs: CostTracker, said: list[dict[str, Any]], before: Parts | None) -> None:
    """Set the budgets; of a reload, those that the file has no more end."""
    scopes = [_scope(row) for row in said]
    for row in before.sections["budgets"] if before and before.costs is costs else ():
        if _scope(row) not in scopes:
            costs.remove_budget(**_scope(row))
    for row, scope in zip(said, scopes, strict=True):
        costs.set_budget(row["limit"], **scope, on_exceed=row["on_exceed"] or "reject")


def _scope(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("tenant", "provider", "tag")} | {"period": row["period"] or "month"}


def _provider(row: Mapping[str, Any]) -> Any:
    name, known = row["name"], row["known_as"] or row["name"]
    if known == "simulated":
        return providers.Simulated()
    headers = {header: _variable(variable, name) for header, variable in row["header_variables"].items()}
    times = {
        limit: row[limit]
        for limit in ("connect_timeout", "read_timeout", "first_token_timeout")
        if row[limit] is not None
    }
    key = _variable(row["key_variable"], name) if row["key_variable"] else None
    rows = {found.name: found for found in providers.known()}
    if known not in rows:
        if row["base_url"] is None or row["known_as"]:
            raise ConfigError(
                f"provider {known!r} is not known: give base_url, or as known_as one of {', '.join(rows)}"
            )
        return providers.OpenAICompatible(row["base_url"], name=name, api_key=key, headers=headers, **times)
    variables = rows[known].key_variables
    if key is None and variables:
        key = next((os.environ[variable] for variable in variables if os.environ.get(variable, "").strip()), None)
        if key is None:
            raise ConfigError(f"provider {name!r} has no key: set {variables[0]}, or give key_variable")
    return providers.HttpProvider(name, row=known, base_url=row["base_url"], api_key=key, headers=headers, **times)


def _variable(name: str, provider: str) -> str:
    found = os.environ.get(name, "")
    if not found.strip():
        raise ConfigError(f"provider {provider!r}: the environment variable {name} is not set")
    return found
