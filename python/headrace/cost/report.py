"""The cost report: where money went, what was saved, what would save more, what is to come, what is odd."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headrace import _core
from headrace.cost import picture
from headrace.cost.forecast import HISTORY, Anomaly, Forecast, anomalies, filled, forecast
from headrace.cost.format import dollars, grams, group_name, percent
from headrace.cost.results import SummaryRow
from headrace.errors import ConfigError


@dataclass(frozen=True)
class Saving:
    """What a change of a share of the calls would have saved. An estimate, at each model's mean usage."""

    change: str
    saved: Decimal
    """Dollars."""
    co2e_g: float | None = None
    """Grams of CO2 equivalent that it would have saved; below zero, caused. Nothing where a model's size is unknown."""


@dataclass(frozen=True)
class Report:
    """A report as data, as a text table (`str`), and as a picture in a notebook."""

    since: datetime
    until: datetime
    by: str
    total: Decimal
    saved: Decimal
    """What the cache's answers would have cost."""
    calls: int
    cache_hits: int
    energy_wh: float
    co2e_g: float
    avoided_co2e_g: float
    calls_of_unknown_footprint: int
    estimated_calls: int
    """Calls of which the price or the usage is an estimate."""
    groups: list[SummaryRow]
    """A row of `CostTracker.summary` for each group, the dearest first."""
    days: list[tuple[date, Decimal]]
    """Every day of the report, those without calls too."""
    forecast: Forecast
    what_if: list[Saving] = field(default_factory=list)
    """The largest saving first."""
    anomalies: list[Anomaly] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            (
                group_name(group, self.by),
                dollars(group["cost"]),
                percent(group["cost"], self.total),
                f"{group['calls']:,}",
            )
            for group in self.groups
        ]
        rows = [(self.by, "cost", "", "calls"), *rows, ("total", dollars(self.total), "", f"{self.calls:,}")]
        widths = [max(len(row[place]) for row in rows) for place in range(4)]
        lines = [f"Cost from {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d %H:%M %Z}", ""]
        for row in rows:
            cells = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
            lines.append("  ".join(cells).rstrip())
        lines += ["", *self.sentences()]
        return "\n".join(lines)

    @property
    def is_footprint_known(self) -> bool:
        """Whether the footprint of any call is known: sums of nothing but unknown ones are no sums."""
        return self.calls_of_unknown_footprint < self.calls or not self.calls

    def sentences(self) -> list[str]:
        """Say in words what stands beside the table."""
        lines = [
            f"The cache answered {self.cache_hits:,} of {self.calls:,} calls; it and routes saved "
            f"{dollars(self.saved)} and {grams(self.avoided_co2e_g)} CO2e.",
        ]
        if self.is_footprint_known:
            lines.append(f"Energy {self.energy_wh:,.1f} Wh, {grams(self.co2e_g)} CO2e (middle of the range).")
        if self.estimated_calls:
            lines.append(f"Calls whose price or usage is an estimate: {self.estimated_calls:,}.")
        if self.calls_of_unknown_footprint:
            lines.append(f"The footprint of {self.calls_of_unknown_footprint:,} calls is unknown, and in no sum.")
        ahead = self.forecast
        interval = f", {dollars(ahead.low)} to {dollars(ahead.high)} with 90 %" if ahead.high is not None else ""
        days = f"{ahead.since:%Y-%m-%d} to {ahead.until:%Y-%m-%d}"
        lines.append(f"Forecast from {days}: {dollars(ahead.total)}{interval} (by {ahead.method}).")
        for saving in self.what_if:
            carbon = f", {grams(saving.co2e_g)} CO2e" if saving.co2e_g else ""
            lines.append(f"{saving.change}: saves {dollars(saving.saved)}{carbon}.")
        for odd in self.anomalies:
            usual = f"{dollars(odd.cost)}, usually {dollars(odd.usual)}"
            lines.append(f"{odd.day:%Y-%m-%d} is odd: {usual}; most of the rise is {odd.driver}.")
        return lines

    def _repr_html_(self) -> str:
        return picture.page(self)


def span(moment: datetime, period: str) -> tuple[datetime, datetime]:
    """Give the start and the end of the day, week or month that holds a moment, in the moment's zone."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "month":
        start = day.replace(day=1)
        return start, (start + timedelta(days=32)).replace(day=1)
    if period == "week":
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    if period == "day":
        return day, day + timedelta(days=1)
    raise ConfigError(f"period {period!r} is unknown: give day, week or month")


def zone_of(name: str) -> ZoneInfo:
    """Find a zone by its name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"time zone {name!r} is unknown: give an IANA name such as Europe/Berlin") from None


def aware(moment: datetime, name: str) -> datetime:
    """Refuse a moment that depends on where the machine is."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        without = " without a time zone" if isinstance(moment, datetime) else ""
        wish = "give a datetime with a time zone, such as datetime.now(timezone.utc)"
        raise TypeError(f"{name} is a {type(moment).__name__}{without}: {wish}")
    return moment


def report(
    costs: _core.cost.CostTracker,
    *,
    since: datetime | None,
    until: datetime | None,
    by: str,
    move_to: str | None,
    part: Decimal,
    period: str,
    zone: str,
) -> Report:
    """Make the report of `CostTracker.report`."""
    place = zone_of(zone)
    until = aware(until or datetime.now(timezone.utc), "until").astimezone(place)
    start, end = span(until, period)
    since = aware(since, "since").astimezone(place) if since else start
    if since >= until:
        raise ConfigError(f"since {since} is not before until {until}: give an earlier one")
    groups = sorted(costs.summary([by], since=since, until=until), key=lambda group: -group["cost"])
    by_day = days_of(costs, by, min(since, start) - timedelta(days=HISTORY), until, zone)
    total: dict[date, Decimal] = defaultdict(Decimal)
    for days in by_day.values():
        for day, cost in days.items():
            total[day] += cost
    spent = sum((row["cost"] for row in costs.summary([], since=start, until=until)), Decimal(0))
    after = (until + timedelta(days=1)).date() if until.time() != datetime.min.time() else until.date()
    return Report(
        since=since,
        until=until,
        by=by,
        total=sum((group["cost"] for group in groups), Decimal(0)),
        saved=sum((group["saved"] for group in groups), Decimal(0)),
        calls=sum(group["calls"] for group in groups),
        cache_hits=sum(group["cache_hits"] for group in groups),
        energy_wh=sum(float(group["energy_wh"]) for group in groups),
        co2e_g=sum(float(group["co2e_g"]) for group in groups),
        avoided_co2e_g=sum(float(group["avoided_co2e_g"]) for group in groups),
        calls_of_unknown_footprint=sum(group["calls_of_unknown_footprint"] for group in groups),
        estimated_calls=sum(group["estimated_calls"] for group in groups),
        groups=groups,
        days=filled(total, since.date(), after),
        forecast=forecast(total, spent, start, until, end),
        what_if=what_if(costs, since, until, move_to, part),
        anomalies=anomalies(by_day, since.date(), after),
    )


def days_of(
    costs: _core.cost.CostTracker, by: str, since: datetime, until: datetime, zone: str
) -> dict[str, dict[date, Decimal]]:
    """Cost by group and day; the days are those of the zone."""
    found: dict[str, dict[date, Decimal]] = defaultdict(dict)
    first = since.replace(hour=0, minute=0, second=0, microsecond=0)
    for row in costs.summary([by], since=first, until=until, bucket="day", timezone=zone):
        found[group_name(row, by)][row["start"].astimezone(ZoneInfo(zone)).date()] = row["cost"]
    return dict(found)


def what_if(
    costs: _core.cost.CostTracker, since: datetime, until: datetime, move_to: str | None, part: Decimal
) -> list[Saving]:
    """Say what a share of the calls would have saved elsewhere, in batch, or with the prompt read from a cache.

    A model's calls are priced again at their mean usage, so the figures are estimates.
    """
    calls = f"{float(part) * 100:g} % of the calls"
    batch, cache, move = (
        f"{calls} in batch",
        f"{calls} with their prompt in the provider's cache",
        f"{calls} to {move_to}",
    )
    saved: dict[str, Decimal] = defaultdict(Decimal)
    carbon: float | None = 0.0
    for row in costs.summary(["provider", "model"], since=since, until=until):
        model, paid = f"{row['provider']}/{row['model']}", row["calls"] - row["cache_hits"]
        if paid == 0:
            continue
        read, written, cached = (row[kind] // paid for kind in ("input_tokens", "output_tokens", "cached_input_tokens"))
        now = costs.quote(model, _core.cost.Usage(read, written, cached))
        others = {
            batch: (model, _core.cost.Usage(read, written, cached, batch=True)),
            cache: (model, _core.cost.Usage(read, written, read)),
        }
        if move_to is not None and move_to != model:
            others[move] = (move_to, _core.cost.Usage(read, written))
        for change, (other, usage) in others.items():
            then = costs.quote(other, usage)
            if then.cost >= now.cost:
                continue
            saved[change] += (now.cost - then.cost) * part * paid
            if change == move:
                known = now.co2e_g is not None and then.co2e_g is not None and carbon is not None
                carbon = carbon + (now.co2e_g - then.co2e_g) * float(part) * paid if known else None  # type: ignore[operator]
    found = [Saving(change, amount, carbon if change == move else None) for change, amount in saved.items()]
    return sorted(found, key=lambda saving: -saving.saved)
