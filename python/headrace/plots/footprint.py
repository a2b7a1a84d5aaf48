"""Greenhouse gases by group: an estimate with its bounds, and what was avoided."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from headrace.cost.format import grams, group_name
from headrace.plots.canvas import BLUE, GREEN, new_axes, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.cost import CostTracker

__all__ = ["draw_carbon"]

_MOST_GROUPS = 12


def draw_carbon(costs: CostTracker, by: str, since: datetime | None, until: datetime | None, ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.carbon`.

    Args:
        costs: The tracker.
        by: The groups.
        since: From this time on.
        until: Before this time.
        ax: Where to draw, or None.
    """
    rows = costs.summary(by, since=since, until=until)
    unknown = sum(row["calls_of_unknown_footprint"] for row in rows)
    known = [row for row in rows if row["co2e_g"] or row["avoided_co2e_g"]]
    known.sort(key=lambda row: row["co2e_g"], reverse=True)
    low, high = sum(row["co2e_g"].min for row in known), sum(row["co2e_g"].max for row in known)
    shown = known[:_MOST_GROUPS]
    title = f"CO2e: {grams(low)} to {grams(high)}" if known else "CO2e"
    ax = new_axes(ax, title, height=max(2.4, 1.3 + 0.5 * len(shown)))
    left_out = f"not in it: {unknown:,} call{'s' * (unknown != 1)} of models whose size is not known" if unknown else ""
    if not known:
        return note(ax, left_out or "no call has a footprint in this time")
    places = range(len(shown))
    middle = [float(row["co2e_g"]) for row in shown]
    reach = [
        [value - row["co2e_g"].min for value, row in zip(middle, shown, strict=True)],
        [row["co2e_g"].max - value for value, row in zip(middle, shown, strict=True)],
    ]
    ink = ax.xaxis.label.get_color()
    # Two bars share the place of a group; one alone stands in its middle.
    is_pair = any(row["avoided_co2e_g"] for row in shown)
    caused = [place - 0.19 * is_pair for place in places]
    ax.barh(caused, middle, 0.36, xerr=reach, ecolor=ink, capsize=3, color=BLUE, label="caused, with bounds")
    if is_pair:
        avoided = [float(row["avoided_co2e_g"]) for row in shown]
        ax.barh([place + 0.19 for place in places], avoided, 0.36, color=GREEN, label="avoided by the cache")
    ax.set_yticks(list(places), [group_name(row, by) for row in shown], parse_math=False)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(lambda value, _place: grams(value))
    more = f"and {len(known) - len(shown):,} more groups" if len(known) > len(shown) else ""
    ax.set_xlabel("; ".join(filter(None, [more, left_out])))
    # The shortest bars are at the bottom.
    ax.legend(loc="lower right", framealpha=0.8, edgecolor="none")
    return ax
