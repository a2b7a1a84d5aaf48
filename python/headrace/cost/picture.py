"""A cost report in a notebook: inline SVG and a table, without scripts, in the colours of the page around them."""

from __future__ import annotations

import html
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from headrace.cost.forecast import Anomaly, Forecast
from headrace.cost.format import dollars, grams, group_name, percent
from headrace.cost.results import SummaryRow

WIDTH, HEIGHT, BOTTOM, TOP = 720, 190, 22, 10
PAID, ODD, AHEAD = "#2c7fb8", "#d1495b", "#9ecae1"
MOST_GROUPS = 12
SCALE = (Decimal(0), Decimal("0.5"), Decimal(1))
"""The lines of the scale, as parts of the highest bar."""


class Drawable(Protocol):
    """What of a report is drawn."""

    @property
    def since(self) -> datetime:
        """From this time on."""

    @property
    def until(self) -> datetime:
        """Before this time."""

    @property
    def by(self) -> str:
        """The dimension of the groups."""

    @property
    def total(self) -> Decimal:
        """Dollars paid."""

    @property
    def saved(self) -> Decimal:
        """Dollars that the cache and the choices of routes saved."""

    @property
    def calls(self) -> int:
        """Calls, cached ones among them."""

    @property
    def cache_hits(self) -> int:
        """Calls that the cache answered."""

    @property
    def energy_wh(self) -> float:
        """Watt-hours."""

    @property
    def co2e_g(self) -> float:
        """Grams of CO2 equivalent."""

    @property
    def is_footprint_known(self) -> bool:
        """Whether the footprint of any call is known."""

    @property
    def groups(self) -> list[SummaryRow]:
        """Rows of a summary, the dearest first."""

    @property
    def days(self) -> list[tuple[date, Decimal]]:
        """The cost of every day."""

    @property
    def forecast(self) -> Forecast:
        """What is to come."""

    @property
    def anomalies(self) -> list[Anomaly]:
        """Odd days."""

    def sentences(self) -> list[str]:
        """What is said beside the table."""


def page(report: Drawable) -> str:
    """Give the whole picture."""
    title = f"Cost from {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d %H:%M %Z}"
    parts = [
        f'<div style="max-width:{WIDTH}px;font-family:system-ui,sans-serif;font-size:13px;line-height:1.45">',
        f'<div style="font-weight:600;font-size:15px;margin:0 0 6px">{html.escape(title)}</div>',
        tiles(report),
        days(report),
        groups(report),
        '<ul style="margin:8px 0 0;padding-left:18px">',
        *(f"<li>{html.escape(sentence)}</li>" for sentence in report.sentences()),
        "</ul></div>",
    ]
    return "".join(parts)


def tiles(report: Drawable) -> str:
    """Show the four figures that matter."""
    ahead = report.forecast
    interval = f"{dollars(ahead.low)} to {dollars(ahead.high)}" if ahead.high is not None else ""
    is_known = report.is_footprint_known
    carbon = ("CO2e", grams(report.co2e_g), f"{report.energy_wh:,.1f} Wh") if is_known else ("CO2e", "not known", "")
    figures = [
        ("spent", dollars(report.total), f"{report.calls:,} calls"),
        (f"forecast to {ahead.until - timedelta(seconds=1):%d %b}", dollars(ahead.total), interval),
        ("saved by cache and routes", dollars(report.saved), f"{report.cache_hits:,} answers"),
        carbon,
    ]
    cells = [
        '<div style="flex:1;padding:6px 10px;border:1px solid rgba(128,128,128,.35);border-radius:6px">'
        f'<div style="opacity:.7">{html.escape(label)}</div>'
        f'<div style="font-size:18px;font-weight:600">{html.escape(figure)}</div>'
        f'<div style="opacity:.7">{html.escape(note) or "&nbsp;"}</div></div>'
        for label, figure, note in figures
    ]
    return f'<div style="display:flex;gap:8px;margin-bottom:8px">{"".join(cells)}</div>'


def days(report: Drawable) -> str:
    """Draw a bar a day, odd days in red, and what the forecast expects of the days that are left."""
    shown = report.days
    if not shown:
        return ""
    last = shown[-1][0]
    ahead = [(day, cost) for day, cost in report.forecast.days if day > last]
    bars = [(day, cost, PAID) for day, cost in shown] + [(day, cost, AHEAD) for day, cost in ahead]
    most = rounded_up(max((cost for _, cost, _ in bars), default=Decimal(0)) or Decimal(1))
    odd = {anomaly.day for anomaly in report.anomalies}
    # Room for the longest amount beside the scale: those of a first day have many digits.
    left = max(64, 6 + 7 * max(len(dollars(most * part)) for part in SCALE))
    step = (WIDTH - left) / len(bars)
    room = HEIGHT - BOTTOM - TOP
    drawn = []
    for place, (day, cost, color) in enumerate(bars):
        height = float(cost / most) * room
        color = ODD if day in odd else color
        note = "expected" if color == AHEAD else "odd" if color == ODD else ""
        drawn.append(
            f'<rect x="{left + (place + 0.08) * step:.1f}" y="{TOP + room - height:.1f}" width="{step * 0.84:.1f}" '
            f'height="{height:.1f}" rx="1.5" fill="{color}"><title>{day:%a %d %b}: {dollars(cost)} {note}'
            "</title></rect>"
        )
    names = labels([day for day, _, _ in bars], step, left)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="cost by day" '
        f'style="display:block">{grid(most, room, left)}{"".join(drawn)}{names}</svg>'
        f"{legend(bool(odd), bool(ahead))}"
    )


def rounded_up(amount: Decimal) -> Decimal:
    """The next amount whose half is as easily read.

    >>> rounded_up(Decimal("0.9445")), rounded_up(Decimal(31)), rounded_up(Decimal(5))
    (Decimal('1.0'), Decimal('4E+1'), Decimal('5'))
    """
    unit = Decimal(1).scaleb(amount.adjusted())
    return next(unit * step for step in (1, 2, 4, 5, 6, 8, 10) if amount <= unit * step)


def grid(most: Decimal, room: int, left: int) -> str:
    """Draw the scale: nothing, half, all."""
    lines = []
    for part in SCALE:
        y = TOP + room - float(part) * room
        lines.append(
            f'<line x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity=".18"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" font-size="11" fill="currentColor" '
            f'fill-opacity=".75">{html.escape(dollars(most * part))}</text>'
        )
    return "".join(lines)


def labels(shown: list[date], step: float, left: int) -> str:
    """Name some days, so that names do not touch."""
    every = max(1, round(70 / step))
    return "".join(
        f'<text x="{left + (place + 0.5) * step:.1f}" y="{HEIGHT - 6}" text-anchor="middle" font-size="11" '
        f'fill="currentColor" fill-opacity=".75">{day:%d %b}</text>'
        for place, day in enumerate(shown)
        if place % every == every // 2 and (place + 0.5) * step + left < WIDTH - 20
    )


def legend(has_odd: bool, has_ahead: bool) -> str:
    """Say what the colours mean."""
    entries = [(PAID, "paid")] + [(ODD, "odd")] * has_odd + [(AHEAD, "expected")] * has_ahead
    return (
        '<div style="margin:0 0 8px;opacity:.85">'
        + "".join(
            f'<span style="margin-right:14px"><span style="display:inline-block;width:10px;height:10px;'
            f'border-radius:2px;background:{color};margin-right:5px"></span>{text}</span>'
            for color, text in entries
        )
        + "</div>"
    )


def groups(report: Drawable) -> str:
    """Show the dearest groups as a table with bars."""
    most = max((group["cost"] for group in report.groups), default=Decimal(0)) or Decimal(1)
    rows = []
    for group in report.groups[:MOST_GROUPS]:
        width = float(group["cost"] / most) * 100
        rows.append(
            f'<tr><td style="text-align:left;padding:2px 10px 2px 0;white-space:nowrap">'
            f"{html.escape(group_name(group, report.by))}</td>"
            f'<td style="width:55%;padding:2px 10px 2px 0"><div style="background:{PAID};height:10px;border-radius:2px;'
            f'width:{width:.1f}%"></div></td>'
            f'<td style="text-align:right;padding:2px 10px 2px 0">{dollars(group["cost"])}</td>'
            f'<td style="text-align:right;padding:2px 10px 2px 0;opacity:.75">'
            f"{percent(group['cost'], report.total)}</td>"
            f'<td style="text-align:right;padding:2px 0;opacity:.75">{group["calls"]:,} calls</td></tr>'
        )
    hidden = len(report.groups) - MOST_GROUPS
    more = f'<div style="opacity:.75">and {hidden} more</div>' if hidden > 0 else ""
    return (
        f'<table style="border-collapse:collapse;width:100%;margin:4px 0;font-size:inherit;color:inherit;'
        f'white-space:nowrap">{"".join(rows)}</table>{more}'
    )
