"""The cost report: where money went, what was saved, what would save more, what is to come, what is odd."""

from __future__ import annotations

import html
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from headrace import _core

ANOMALY_WINDOW = 14
"""Days of the rolling baseline."""
ANOMALY_SCORE = 5.0
"""How many scaled median absolute deviations above the median a day must be to count as odd."""
SHARE = Decimal("0.5")
"""The share of calls that the what-if lines move."""


@dataclass(frozen=True)
class Report:
    """A report as data, as a text table (`str`), and as a picture in a notebook."""

    since: datetime
    until: datetime
    by: str
    total: Decimal
    saved: Decimal
    calls: int
    cache_hits: int
    energy_wh: float
    co2e_g: float
    groups: list[dict[str, Any]]
    days: list[tuple[datetime, Decimal]]
    forecast: Decimal
    forecast_until: datetime
    what_if: list[tuple[str, Decimal]] = field(default_factory=list)
    anomalies: list[tuple[datetime, Decimal, Decimal]] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [(group[self.by] or "-", f"${group['cost']:.4f}", str(group["calls"])) for group in self.groups]
        rows = [(self.by, "cost", "calls"), *rows, ("total", f"${self.total:.4f}", str(self.calls))]
        widths = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = [f"Cost from {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d %H:%M %Z}", ""]
        lines += [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}" for row in rows]
        lines += ["", f"The cache answered {self.cache_hits} of {self.calls} calls and saved ${self.saved:.4f}."]
        lines += [f"Energy {self.energy_wh:.1f} Wh, {self.co2e_g:.1f} gCO2e (middle of the range)."]
        lines += [f"Forecast to {self.forecast_until:%Y-%m-%d}: ${self.forecast:.2f}."]
        lines += [f"{text}: saves ${amount:.4f}." for text, amount in self.what_if]
        lines += [f"{day:%Y-%m-%d} is odd: ${cost:.4f}, usually ${usual:.4f}." for day, cost, usual in self.anomalies]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        most = max((cost for _, cost in self.days), default=Decimal(0)) or Decimal(1)
        odd = {day for day, _, _ in self.anomalies}
        bars = []
        for place, (day, cost) in enumerate(self.days):
            height, color = float(cost / most) * 80, "#c0392b" if day in odd else "#2c7fb8"
            bars.append(
                f'<rect x="{place * 14}" y="{80 - height}" width="12" height="{height}" fill="{color}">'
                f"<title>{day:%Y-%m-%d}: ${cost:.4f}</title></rect>"
            )
        width = max(len(self.days) * 14, 14)
        return (
            f'<svg width="{width}" height="80" role="img" aria-label="cost by day">{"".join(bars)}</svg>'
            f"<pre>{html.escape(str(self))}</pre>"
        )


def report(
    costs: _core.cost.CostTracker,
    *,
    since: datetime | None,
    until: datetime | None,
    by: str,
    move_to: str | None,
) -> Report:
    """Make the report of `CostTracker.report`."""
    until = until or datetime.now(timezone.utc)
    since = since or until.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    groups = sorted(costs.summary([by], since=since, until=until), key=lambda group: -group["cost"])
    total = sum((group["cost"] for group in groups), Decimal(0))
    days = [(row["start"], row["cost"]) for row in costs.summary([], since=since, until=until, bucket="day")]
    end = (since.astimezone(timezone.utc).replace(day=28) + timedelta(days=4)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    elapsed = max(until - since, timedelta(seconds=1))
    rest = max(end - until, timedelta(0))
    forecast = total + total * (rest // timedelta(seconds=1)) / max(elapsed // timedelta(seconds=1), 1)
    return Report(
        since=since,
        until=until,
        by=by,
        total=total,
        saved=sum((group["saved"] for group in groups), Decimal(0)),
        calls=sum(group["calls"] for group in groups),
        cache_hits=sum(group["cache_hits"] for group in groups),
        energy_wh=sum(float(group["energy_wh"]) for group in groups),
        co2e_g=sum(float(group["co2e_g"]) for group in groups),
        groups=groups,
        days=days,
        forecast=forecast,
        forecast_until=end,
        what_if=what_if(costs, since, until, move_to),
        anomalies=anomalies(days),
    )


def what_if(
    costs: _core.cost.CostTracker, since: datetime, until: datetime, move_to: str | None
) -> list[tuple[str, Decimal]]:
    """Say what half of the calls would have saved elsewhere, in batch, or with the prompt read from a cache.

    A model's calls are priced again at their mean usage, so the figures are estimates.
    """
    saved: dict[str, Decimal] = defaultdict(Decimal)
    for row in costs.summary(["provider", "model"], since=since, until=until):
        model, paid = f"{row['provider']}/{row['model']}", row["calls"] - row["cache_hits"]
        if paid == 0:
            continue
        read, written = row["input_tokens"] // paid, row["output_tokens"] // paid
        cached = row["cached_input_tokens"] // paid
        now = costs.quote(model, _core.cost.Usage(read, written, cached)).cost
        others = {
            "Half of the calls in batch": (model, _core.cost.Usage(read, written, cached, batch=True)),
            "Half of the input from the prompt cache": (model, _core.cost.Usage(read, written, read)),
        }
        if move_to is not None:
            others[f"Half of the calls to {move_to}"] = (move_to, _core.cost.Usage(read, written))
        for text, (other, usage) in others.items():
            saved[text] += max(now - costs.quote(other, usage).cost, Decimal(0)) * SHARE * paid
    return [(text, amount) for text, amount in saved.items() if amount > 0]


def anomalies(days: list[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal, Decimal]]:
    """Find days far above the days before them: the median plus five scaled median absolute deviations.

    The deviation is scaled by 1.4826, as for a normal distribution (Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013),
    and taken as at least a tenth of the median, so that a flat past does not make everything odd.
    """
    found = []
    for place in range(3, len(days)):
        past = [float(cost) for _, cost in days[max(0, place - ANOMALY_WINDOW) : place]]
        middle = statistics.median(past)
        spread = max(1.4826 * statistics.median(abs(cost - middle) for cost in past), middle / 10)
        day, cost = days[place]
        if float(cost) > middle + ANOMALY_SCORE * spread:
            found.append((day, cost, Decimal(repr(middle))))
    return found
