"""Bars of money over time: what was spent, and what was saved. Only here is money a float: a length on paper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from headrace.cost.format import dollars, group_name, percent
from headrace.plots.canvas import BLUE, COLOURS, GREEN, GREY, key, label_spans, money_axis, new_axes, note, spans

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.cost import CostTracker

__all__ = ["draw_saved", "draw_spend"]

_Bars = dict[datetime, Decimal]


def draw_spend(costs: CostTracker, by: str, when: Mapping[str, Any], ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.spend`.

    Args:
        costs: The tracker.
        by: The parts.
        when: `bucket`, `since`, `until` and `timezone` of a summary.
        ax: Where to draw, or None.
    """
    parts: dict[str, _Bars] = defaultdict(dict)
    for row in costs.summary(by, **when):
        if row["cost"]:
            parts[group_name(row, by)][row["start"]] = row["cost"]
    sums = {name: sum(bars.values(), Decimal(0)) for name, bars in parts.items()}
    dearest = sorted(sums, key=lambda name: sums[name], reverse=True)
    named, others = dearest[: len(COLOURS)], dearest[len(COLOURS) :]
    layers = [(f"{name}  {dollars(sums[name])}", COLOURS[n], parts[name]) for n, name in enumerate(named)]
    if others:
        together: _Bars = defaultdict(Decimal)
        for name in others:
            for start, cost in parts[name].items():
                together[start] += cost
        rest = sum((sums[name] for name in others), Decimal(0))
        layers.append((f"{len(others)} others  {dollars(rest)}", GREY, together))
    total = sum(sums.values(), Decimal(0))
    return _stack(new_axes(ax, f"Spent: {dollars(total)}"), layers, when, "no call has cost anything in this time")


def draw_saved(costs: CostTracker, when: Mapping[str, Any], ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.saved`.

    Args:
        costs: The tracker.
        when: `bucket`, `since`, `until` and `timezone` of a summary.
        ax: Where to draw, or None.
    """
    paid: _Bars = defaultdict(Decimal)
    kept: _Bars = defaultdict(Decimal)
    # A row for each span and model: without `by`, the summary has models of its own accord.
    for row in costs.summary(**when):
        paid[row["start"]] += row["cost"]
        kept[row["start"]] += row["saved"]
    spent, saved = sum(paid.values(), Decimal(0)), sum(kept.values(), Decimal(0))
    share = percent(saved, spent + saved)
    title = f"Saved: {dollars(saved)} of {dollars(spent + saved)}" + (f" ({share})" if share else "")
    if not (spent or saved):
        paid, kept = {}, {}
    layers = [(f"paid  {dollars(spent)}", BLUE, paid), (f"saved by cache and routes  {dollars(saved)}", GREEN, kept)]
    return _stack(new_axes(ax, title), layers, when, "no call has cost or saved anything in this time")


def _stack(ax: Axes, layers: list[tuple[str, str, _Bars]], when: Mapping[str, Any], empty: str) -> Axes:
    """Draw a bar for each span, a layer on the other, the first at the bottom."""
    shown = spans((start for _, _, bars in layers for start in bars), when["bucket"], when["timezone"])
    if not shown:
        return note(ax, empty)
    zone = ZoneInfo(when["timezone"])
    bottom = [0.0] * len(shown)
    for name, colour, bars in layers:
        local = {start.astimezone(zone): float(cost) for start, cost in bars.items()}
        heights = [local.get(start, 0.0) for start in shown]
        ground = ax.get_facecolor()
        ax.bar(range(len(shown)), heights, 0.84, bottom, color=colour, label=name, edgecolor=ground, linewidth=0.4)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    label_spans(ax, shown, when["bucket"])
    money_axis(ax)
    key(ax, is_stack=True)
    return ax
