"""The view of each object. Classes of the compiled part get theirs here, as they have no Python of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace._core.cache import CacheHit, Explanation, Explanations
from headrace._core.client import Response
from headrace._core.cost import CostRecord, Usage
from headrace._late import Late
from headrace.notebook import Table, facts, page, rows

if TYPE_CHECKING:
    import html

    from headrace.cache import SemanticCache
    from headrace.client import Client
    from headrace.cost import CostTracker
    from headrace.queue import RequestQueue
else:
    html = Late("html")

__all__ = ["cache", "client", "costs", "explanation", "explanations", "hit", "queue", "record", "response", "usage"]

_CACHE = ("entries", "bytes", "exact_hits", "semantic_hits", "misses", "hit_rate", "saved_cost")
_BUDGET = ("scope", "period", "limit", "spent", "reserved", "remaining")
_SUMMARY = ("provider", "model", "calls", "cache_hits", "cost", "saved")


def client(shown: Client) -> str:
    """A client: its providers and whether calls go through, its cache, queue and costs.

    Args:
        shown: the client.
    """
    health = shown.health()
    providers = [{"provider": name, "breaker": health.get(name, "")} for name in shown._provider_names]
    stats, cached = shown.queue.stats(), shown.cache.stats()
    answered = f"{cached['hit_rate']:.0%} of the questions answered"
    parts = {
        "spent": shown.costs.total,
        "cache": f"{cached['entries']:,} {'entry' if cached['entries'] == 1 else 'entries'}, {answered}",
        "queue": {name: count for name, count in stats["by_status"].items() if count} or "nothing waits",
    }
    return page("Client", rows("", providers, ("provider", "breaker"), "no provider"), facts("", parts))


def cache(shown: SemanticCache) -> str:
    """A cache: how full it is, what it answered, what it saved.

    Args:
        shown: the cache.
    """
    stats = shown.stats()
    # What never happened is left out, but for what is looked for first.
    told = {name: value for name, value in stats.items() if value or name in _CACHE}
    told["hit_rate"] = f"{stats['hit_rate']:.1%}"
    return facts("SemanticCache", {**told, "threshold": shown.threshold})


def queue(shown: RequestQueue) -> str:
    """A queue: what is in it, by state and tenant, and how long requests wait.

    Args:
        shown: the queue.
    """
    stats = shown.stats()
    told = {**stats["by_status"], "open by tenant": stats["by_tenant"] or "none"}
    wait = stats["wait"]
    return facts(
        f"RequestQueue {shown.name} at {_place(shown.url)}",
        {**told, "wait": f"p50 {_time(wait['p50'])}, p99 {_time(wait['p99'])}"},
    )


def _time(seconds: float) -> str:
    """A duration in the unit that fits it."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:,.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs"


def _place(url: str) -> str:
    """An address without the user and the password that may stand in it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def costs(shown: CostTracker) -> str:
    """A tracker: the bill by provider and model, and the budgets.

    Args:
        shown: the tracker.
    """
    summary = sorted(shown.summary(("provider", "model")), key=lambda row: row["cost"], reverse=True)
    bill = rows("", summary, _SUMMARY, "no calls yet")
    kept = [{**budget, "scope": _scope(budget)} for budget in shown.budgets()]
    budgets = rows("Budgets", kept, _BUDGET, "none") if kept else ""
    # The total, not the sum of the rows: it is exact and includes what was purged.
    return page(f"CostTracker: {shown.total} USD", bill, budgets)


def _scope(budget: Any) -> str:
    named = [f"{name} {budget[name]}" for name in ("tenant", "part_of", "provider", "model", "tag") if budget[name]]
    return ", ".join(named) or "everything"


def response(shown: Response) -> str:
    """An answer: its text, where it came from, what it cost.

    Args:
        shown: the response.
    """
    text = Table(f"<div style='white-space:pre-wrap'>{html.escape(shown.text)}</div>")
    told = {
        "text": text if shown.text else None,
        "refusal": shown.refusal,
        "tool_calls": [f"{call.name}({call.arguments})" for call in shown.tool_calls],
        "model": shown.model,
        "cache": f"{shown.cache} {shown.similarity:.3f}" if shown.similarity is not None else shown.cache,
        "cost": shown.cost,
        "saved": shown.saved_cost or None,
        "tokens": f"{shown.usage.input_tokens:,} in, {shown.usage.output_tokens:,} out",
        "estimated": shown.estimated or None,
        "finish_reason": shown.finish_reason,
    }
    return facts("Response", told)


def record(shown: CostRecord) -> str:
    """A line of the ledger.

    Args:
        shown: the record.
    """
    told = shown.to_dict()
    lines = told.pop("lines")
    told.pop("usage")
    return page(
        "CostRecord", facts("", told), rows("", lines, ("kind", "quantity", "unit_price", "amount"), "nothing was used")
    )


def usage(shown: Usage) -> str:
    """What a call used; what it did not use is left out.

    Args:
        shown: the usage.
    """
    return facts("Usage", {name: count for name, count in shown.to_dict().items() if count})


def hit(shown: CacheHit) -> str:
    """An entry that serves.

    Args:
        shown: the hit.
    """
    return facts("CacheHit", {**shown.to_dict(), "age": _time(shown.age)})


def explanation(shown: Explanation) -> str:
    """How near an entry is, and what keeps it from serving.

    Args:
        shown: the explanation.
    """
    return explanations(Explanations([shown], 0))


def explanations(shown: Explanations) -> str:
    """The entries nearest to a question.

    Args:
        shown: the explanations.
    """
    found = [one.to_dict() for one in shown]
    note = ""
    if not found or shown.in_other_scopes:
        note = f"other scopes of the tenant hold {shown.in_other_scopes:,} entries, none of which can serve here"
    table = rows("", found, ("similarity", "serves", "prompt", "blocked"), "no entry of this tenant and scope")
    return page("Nearest entries", table, f"<div>{note}</div>" if note else "")


for _class, _view in {
    Response: response,
    CostRecord: record,
    Usage: usage,
    CacheHit: hit,
    Explanation: explanation,
    Explanations: explanations,
}.items():
    _class._repr_html_ = _view  # type: ignore[attr-defined]
