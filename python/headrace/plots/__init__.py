"""Plots of what you have, one line each: money, hits against errors, latency, the queue, carbon.

Each function draws with matplotlib (the extra `plots`), on a figure of its own or on the `ax` that it is given, and
returns the Axes, so that anything can be changed afterwards. Text and ground are those of matplotlib's style, as in
`matplotlib.pyplot.style.use("dark_background")`; the colours of the figures are legible on a light and on a dark one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace._extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.cache import SemanticCache
    from headrace.client import Client
    from headrace.cost import CostTracker
    from headrace.guards import Guards
    from headrace.metrics import Metrics
    from headrace.queue import RequestQueue

__all__ = ["answered", "carbon", "hits", "latency", "queue", "saved", "spend"]


def spend(
    costs: CostTracker,
    *,
    by: str = "model",
    bucket: str = "day",
    since: datetime | None = None,
    until: datetime | None = None,
    timezone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Draw what was spent, a bar for each span of time, in parts by model.

    Args:
        costs: The tracker.
        by: The parts: `model`, `tenant`, `provider`, `tag:KEY` ...; the dearest have a colour each.
        bucket: `hour`, `day`, `week` or `month`.
        since: From this time on.
        until: Before this time.
        timezone: The IANA name of the zone in which the spans begin.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed, or there are too many spans to be drawn.
        ValueError: A name is unknown.

    >>> import headrace
    >>> costs = headrace.CostTracker()
    >>> _ = costs.record("openai/gpt-4o", headrace.Usage(1_000_000, 100_000))
    >>> headrace.plots.spend(costs).get_title(loc="left")
    'Spent: $3.50'
    """
    need("matplotlib", "plots", "plots.spend()")
    from headrace.plots.money import draw_spend

    return draw_spend(costs, by, {"bucket": bucket, "since": since, "until": until, "timezone": timezone}, ax)


def saved(
    costs: CostTracker,
    *,
    bucket: str = "day",
    since: datetime | None = None,
    until: datetime | None = None,
    timezone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Draw what was paid and, on top of it, what the cache and the choices of routes saved.

    Args:
        costs: The tracker.
        bucket: `hour`, `day`, `week` or `month`.
        since: From this time on.
        until: Before this time.
        timezone: The IANA name of the zone in which the spans begin.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed, or there are too many spans to be drawn.
        ValueError: A name is unknown.

    >>> import headrace
    >>> costs = headrace.CostTracker()
    >>> _ = costs.record("openai/gpt-4o", headrace.Usage(1_000_000, 100_000))
    >>> _ = costs.record("openai/gpt-4o", headrace.Usage(1_000_000, 100_000), cache="exact")
    >>> headrace.plots.saved(costs).get_title(loc="left")
    'Saved: $3.50 of $7.00 (50 %)'
    """
    need("matplotlib", "plots", "plots.saved()")
    from headrace.plots.money import draw_saved

    return draw_saved(costs, {"bucket": bucket, "since": since, "until": until, "timezone": timezone}, ax)


def carbon(
    costs: CostTracker,
    *,
    by: str = "model",
    since: datetime | None = None,
    until: datetime | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the greenhouse gases by model: the middle of each estimate, its bounds, and what cached answers avoided.

    Calls of models whose size is not known are in no bar; a note says how many they are.

    Args:
        costs: The tracker.
        by: The groups: `model`, `tenant`, `provider`, `zone`, `tag:KEY` ...
        since: From this time on.
        until: Before this time.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed.
        ValueError: A name is unknown.

    >>> import headrace
    >>> costs = headrace.CostTracker()
    >>> _ = costs.record("openai/gpt-4o", headrace.Usage(1000, 100_000))
    >>> headrace.plots.carbon(costs).get_title(loc="left")
    'CO2e: 58.4 g to 95.4 g'
    """
    need("matplotlib", "plots", "plots.carbon()")
    from headrace.plots.footprint import draw_carbon

    return draw_carbon(costs, by, since, until, ax)


def latency(source: Client | Metrics | CostTracker, *, ax: Axes | None = None) -> Axes:
    """Draw how long calls took, by model: the median and the 90th, 95th and 99th percentiles.

    Args:
        source: A client or its metrics: seconds from the call to its last word, answers of the cache apart. Or a
            tracker: seconds that the providers took, from the newest 100,000 records.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed.
        TypeError: The source is none of these.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> _ = client.chat("simulated/echo", "Which scope is travel?")
    >>> [label.get_text().split()[0] for label in headrace.plots.latency(client).get_yticklabels()]
    ['simulated/echo']
    """
    need("matplotlib", "plots", "plots.latency()")
    from headrace.plots.calls import draw_latency

    return draw_latency(source, ax)


def queue(shown: RequestQueue, *, ax: Axes | None = None) -> Axes:
    """Draw the open requests of a queue by priority.

    Args:
        shown: The queue.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed.

    >>> import headrace
    >>> requests = headrace.RequestQueue()
    >>> ids = requests.put_many(["a", "b"], priority="high")
    >>> headrace.plots.queue(requests).get_title(loc="left")
    'Queue default: 2 waiting'
    """
    need("matplotlib", "plots", "plots.queue()")
    from headrace.plots.calls import draw_queue

    return draw_queue(shown, ax)


def answered(cache: SemanticCache, *, ax: Axes | None = None) -> Axes:
    """Draw how a cache answered since it was opened: by the same prompt, by a similar one, or not.

    Args:
        cache: The cache.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed.

    >>> import headrace
    >>> cache = headrace.SemanticCache()
    >>> _ = cache.put("What is scope 2?", "Purchased energy.")
    >>> _ = cache.get("What is scope 2?"), cache.get("What is scope 3?")
    >>> headrace.plots.answered(cache).get_title(loc="left")
    'Answered by the cache: 50 % of 2 questions'
    """
    need("matplotlib", "plots", "plots.answered()")
    from headrace.plots.quality import draw_answered

    return draw_answered(cache, ax)


def hits(
    pairs: Iterable[tuple[str, str, bool]],
    *,
    embedder: Any = None,
    guards: Guards | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw hit rate against error rate over labelled pairs, with guards and by similarity alone.

    Along a line the least similarity falls from 1: more is answered, and more of it wrongly. The higher a line goes
    before it turns to the right, the better. It begins where ten pairs are answered.

    Args:
        pairs: The question that is asked, the stored one, and whether one answer serves both: the pairs that
            `SemanticCache.calibrate` takes.
        embedder: The embedder of the cache; None for `embedders.static()`.
        guards: The guards of the cache; None for the standard ones.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigError: matplotlib is not installed, or there is no pair of either kind.
        EmbeddingError: The embedder failed.

    >>> import headrace
    >>> asked = "What were the Scope 1 emissions in 2023?"
    >>> pairs = [(asked, "Scope 1 emissions 2023, what were they?", True)]
    >>> pairs += [(asked, "What were the Scope 1 emissions in 2024?", False)]
    >>> headrace.plots.hits(pairs).get_title(loc="left")
    'Hits against errors: 2 pairs'
    """
    need("matplotlib", "plots", "plots.hits()")
    from headrace.plots.quality import draw_hits

    return draw_hits(list(pairs), embedder, guards, ax)
