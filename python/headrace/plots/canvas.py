"""What the plots share: the Axes to draw on, colours for light and dark, and spans of time along the bottom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from headrace.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "ORANGE",
    "RED",
    "count_axis",
    "key",
    "label_spans",
    "money_axis",
    "new_axes",
    "note",
    "spans",
]

BLUE = "#2f86c5"
ORANGE = "#d5781f"
GREEN = "#2b9a62"
RED = "#d9536a"
GREY = "#8b8b8b"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#9672c9", "#8f8a1c", "#1d99a3")
"""For parts of a whole, in this order. Each has a contrast of at least 3 to white and to the dark of notebooks."""
MOST_SPANS = 1000
_INCHES_A_LABEL = 0.75
_LABELS = {"hour": "%d %b %H:%M", "day": "%d %b", "week": "%d %b", "month": "%b %Y"}


def new_axes(ax: Axes | None, title: str, *, height: float = 3.6) -> Axes:
    """Give the Axes to draw on, with its title; a new figure has the ground of matplotlib's style, never none.

    Args:
        ax: The user's, or None.
        title: What is shown.
        height: Inches, of a new figure.
    """
    import matplotlib as mpl
    from matplotlib import pyplot

    if ax is None:
        figure, ax = pyplot.subplots(figsize=(8, height), layout="constrained")
        # A notebook's style may have a ground that lets the page through: text would be illegible on a dark one.
        figure.patch.set_alpha(1)
        ax.patch.set_alpha(1)
    # Two dollars in a text would be taken for a formula.
    ax.set_title(title, loc="left", fontweight="bold", parse_math=False)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(length=0)
    ax.grid(alpha=0.25, color=mpl.rcParams["text.color"], linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def note(ax: Axes, text: str) -> Axes:
    """Say in the middle of an empty plot why it is empty.

    Args:
        ax: Where.
        text: What.
    """
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")
    return ax


def spans(starts: Iterable[datetime], bucket: str, timezone: str) -> list[datetime]:
    """List the spans of time from the first to the last, those without a call too, in the zone's own time.

    Args:
        starts: Where the spans begin in which there was something.
        bucket: `hour`, `day`, `week` or `month`.
        timezone: The IANA name of the zone.

    Raises:
        ConfigError: There are more than can be drawn.

    >>> from datetime import timezone
    >>> two = [datetime(2026, 1, 30, tzinfo=timezone.utc), datetime(2026, 2, 1, tzinfo=timezone.utc)]
    >>> [f"{day:%d %b}" for day in spans(two, "day", "UTC")]
    ['30 Jan', '31 Jan', '01 Feb']
    """
    zone = ZoneInfo(timezone)
    local = sorted(start.astimezone(zone) for start in starts)
    found: list[datetime] = []
    at = local[0] if local else None
    while at is not None and at <= local[-1]:
        found.append(at)
        if len(found) > MOST_SPANS:
            raise ConfigError(
                f"there are more than {MOST_SPANS:,} spans of a {bucket} to draw: give since=, or a longer bucket="
            )
        at = _next(at, bucket, zone)
    return found


def _next(at: datetime, bucket: str, zone: ZoneInfo) -> datetime:
    if bucket == "hour":
        # An hour of the clock may be left out or come twice; on the line of time it does not.
        return (at.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)).astimezone(zone)
    if bucket == "month":
        return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return at + timedelta(days=7 if bucket == "week" else 1)


def label_spans(ax: Axes, shown: Sequence[datetime], bucket: str) -> None:
    """Name some of the spans along the bottom, so that names do not touch.

    Args:
        ax: Where; span n stands at n.
        shown: Where the spans begin.
        bucket: `hour`, `day`, `week` or `month`.
    """
    every = -(-len(shown) // max(1, int(_width(ax) / _INCHES_A_LABEL)))
    places = range(0, len(shown), every)
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if bucket == "hour" else {}
    ax.set_xticks(list(places), [f"{shown[place]:{_LABELS[bucket]}}" for place in places], **slant)
    first, last = shown[0], shown[-1]
    if bucket != "month":
        ax.set_xlabel(f"{first:%d %b %Y}" if first.date() == last.date() else f"{first:%d %b %Y} to {last:%d %b %Y}")
    ax.grid(False, axis="x")
    # A single bar is as wide as one of a week, not as the whole picture.
    room = max(0.0, (7 - len(shown)) / 2)
    ax.set_xlim(-0.6 - room, len(shown) - 0.4 + room)


def money_axis(ax: Axes) -> None:
    """Show the numbers of the vertical axis as dollars.

    Args:
        ax: Where.
    """
    ax.set_ylim(bottom=0)
    top = ax.get_ylim()[1]
    digits = 2 if top >= 1 else 1 + math.ceil(-math.log10(top))
    ax.yaxis.set_major_formatter(lambda value, _place: f"${value:,.{digits}f}")


def key(ax: Axes, *, is_stack: bool = False) -> None:
    """Say what the colours mean: beside the picture, or in it where it is one of several.

    Args:
        ax: Where.
        is_stack: Whether the parts lie on each other, the first at the bottom.
    """
    if _is_alone(ax):
        legend = ax.legend(reverse=is_stack, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        if is_stack:
            ax.set_ylim(top=ax.get_ylim()[1] * (1 + 0.09 * len(ax.containers)))
        legend = ax.legend(reverse=is_stack, framealpha=0.8, edgecolor="none", loc="best", fontsize="small")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _is_alone(ax: Axes) -> bool:
    return len(ax.figure.axes) == 1


def _width(ax: Axes) -> float:
    """How many inches are there for bars, about: what is beside a picture that is alone takes a quarter."""
    inches: float = ax.get_window_extent().width / ax.figure.dpi
    return inches * (0.85 if _is_alone(ax) else 0.8)


def count_axis(ax: Axes, most: int) -> None:
    """Make the horizontal axis one of whole numbers, with room for the number behind the longest bar.

    Args:
        ax: Where.
        most: The longest bar.
    """
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    ax.set_xlim(0, max(most, 1) * 1.1)
