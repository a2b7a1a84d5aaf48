"""Calls and requests: how long they took, and how many wait."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from headrace.client import Client
from headrace.cost import CostTracker
from headrace.metrics import Metrics
from headrace.plots.canvas import BLUE, GREEN, ORANGE, RED, count_axis, key, new_axes, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.queue import RequestQueue

__all__ = ["draw_latency", "draw_queue"]

_MOST_RECORDS = 100_000
_MARKS = {"p50": ("o", BLUE), "p90": ("D", GREEN), "p95": ("s", ORANGE), "p99": ("^", RED)}
"""Told apart by form as well as by colour."""
_URGENCY = {"critical": RED, "high": ORANGE, "normal": BLUE, "low": GREEN}
_WIDE = 30
"""The longest over the shortest, from which on the scale is logarithmic."""

_Row = tuple[str, int, dict[str, float]]


def draw_latency(source: Client | Metrics | CostTracker, ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.latency`.

    Args:
        source: What knows how long calls took.
        ax: Where to draw, or None.
    """
    rows = _rows(source)
    ax = new_axes(ax, "Latency", height=max(2.4, 1.4 + 0.55 * len(rows)))
    if not rows:
        return note(ax, "no call has been answered yet")
    ink = ax.xaxis.label.get_color()
    for place, (_, _, took) in enumerate(rows):
        ax.plot([took["p50"], took["p99"]], [place, place], color=ink, alpha=0.5, linewidth=1, zorder=1)
    for number, (name, (mark, colour)) in enumerate(_MARKS.items()):
        found = [took[name] for _, _, took in rows]
        # Where percentiles fall together, the median is seen.
        ax.scatter(found, range(len(rows)), s=46, marker=mark, color=colour, label=name, zorder=9 - number)
    ax.set_yticks(
        range(len(rows)), [f"{name}\n{count:,} call{'s' * (count != 1)}" for name, count, _ in rows], parse_math=False
    )
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(False, axis="y")
    shortest, longest = min(took["p50"] for *_, took in rows), max(took["p99"] for *_, took in rows)
    if shortest > 0 and longest / shortest > _WIDE:
        from matplotlib.ticker import NullFormatter

        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_xlim(0, longest * 1.08 or 1)
    ax.xaxis.set_major_formatter(lambda value, _place: _seconds(value))
    key(ax)
    return ax


def draw_queue(shown: RequestQueue, ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.queue`.

    Args:
        shown: The queue.
        ax: Where to draw, or None.
    """
    stats = shown.stats()
    told = ", ".join(
        f"{count:,} {state}"
        for state, count in stats["by_status"].items()
        if count and (state in ("waiting", "scheduled", "leased", "dead"))
    )
    ax = new_axes(ax, f"Queue {shown.name}: {told or 'nothing waits'}", height=2.6)
    counts = stats["by_priority"]
    bars = ax.barh(list(counts), list(counts.values()), 0.7, color=[_URGENCY[name] for name in counts])
    ax.bar_label(bars, [f"{count:,}" for count in counts.values()], padding=4)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    count_axis(ax, max(counts.values()))
    ax.set_xlabel("open requests" + ("; the queue is paused" if stats["paused"] else ""))
    return ax


def _rows(source: Client | Metrics | CostTracker) -> list[_Row]:
    """What is drawn: a name, the number of calls, and the percentiles in seconds."""
    if isinstance(source, Client):
        source = source.metrics()
    if isinstance(source, Metrics):
        return sorted(
            (f"{one.provider}/{one.model}{f', {one.cache} cache' if one.cache else ''}", one.calls, _of(one.duration))
            for one in source.calls
            if one.error is None and one.duration["count"]
        )
    if not isinstance(source, CostTracker):
        raise TypeError(f"the source is of type {type(source).__name__}: give a Client, its Metrics or a CostTracker")
    took: dict[str, list[float]] = defaultdict(list)
    for record in source.records(limit=_MOST_RECORDS, newest_first=True):
        if record.latency is not None:
            took[f"{record.provider}/{record.model}"].append(record.latency)
    return [(name, len(found), _percentiles(sorted(found))) for name, found in sorted(took.items())]


def _of(duration: Any) -> dict[str, float]:
    return {name: duration[name] for name in _MARKS}


def _percentiles(values: list[float]) -> dict[str, float]:
    """By the nearest rank: each is a time that a call took.

    >>> _percentiles([1.0, 2.0, 3.0, 4.0])
    {'p50': 2.0, 'p90': 4.0, 'p95': 4.0, 'p99': 4.0}
    """
    return {name: values[-(-len(values) * int(name[1:]) // 100) - 1] for name in _MARKS}


def _seconds(value: float) -> str:
    """A time as people read it.

    >>> _seconds(0.00002), _seconds(0.25), _seconds(12)
    ('0.02 ms', '250 ms', '12 s')
    """
    return f"{value:g} s" if value >= 1 or value <= 0 else f"{round(value * 1000, 6):g} ms"
