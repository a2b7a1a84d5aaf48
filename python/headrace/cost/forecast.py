"""What is to come and what is odd in a series of days. Estimates: money that was paid stays `Decimal` elsewhere."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

HISTORY = 56
"""Days that a forecast looks back: eight of each weekday."""
LEAST_FOR_WEEKDAYS = 14
"""Full days from which on weekdays are told apart."""
CONFIDENCE = 0.9
"""How often the real sum should lie in the interval."""
WINDOW = 14
"""Days of the rolling baseline of odd days."""
LEAST_PAST = 7
"""Days that must be known before a day can be odd."""
LEAST_WEEKS = 4
"""Days of one weekday from which on that weekday has a baseline of its own."""
SCORE = 5.0
"""How many scaled median absolute deviations above the median a day is odd."""


@dataclass(frozen=True)
class Forecast:
    """The sum of a period at its end."""

    since: datetime
    until: datetime
    spent: Decimal
    """What the period has cost until now."""
    total: Decimal
    """That, and what is expected still."""
    low: Decimal
    high: Decimal | None
    """Nothing where the past is too short for an interval."""
    method: str
    days: list[tuple[date, Decimal]]
    """What the days that are left should cost; of today, the rest."""


@dataclass(frozen=True)
class Anomaly:
    """A day that cost far more than the days before it."""

    day: date
    cost: Decimal
    usual: Decimal
    """The median of the days before."""
    driver: str
    """The group whose cost rose the most."""


def money(value: float) -> Decimal:
    """Give an estimate as an amount, to a millionth of a dollar."""
    return Decimal(f"{value:.6f}")


def filled(days: dict[date, Decimal], first: date, end: date) -> list[tuple[date, Decimal]]:
    """List every day from the first up to the end; a day without calls cost nothing."""
    count = max((end - first).days, 0)
    return [(day, days.get(day, Decimal(0))) for day in (first + timedelta(days=place) for place in range(count))]


def forecast(days: dict[date, Decimal], spent: Decimal, start: datetime, until: datetime, end: datetime) -> Forecast:
    """Add what the rest of a period will cost, by the days that were.

    From two weeks of full days on, each weekday has its own mean; from two days on, all days have one; before that the
    period's own pace is drawn on. The interval is that of a prediction (the spread of days and the doubt of the mean),
    with Student's quantile.

    Args:
        days: Cost by day; days without calls may be left out.
        spent: Cost of the period until now.
        start: Where the period begins.
        until: Now.
        end: Where the period ends.
    """
    today = until.date()
    known = [day for day in days if day < today]
    past = filled(days, max(min(known, default=today), today - timedelta(days=HISTORY)), today)
    ahead = shares_ahead(until, end)
    if len(past) < 2:
        elapsed, rest = max((until - start).total_seconds(), 1.0), max((end - until).total_seconds(), 0.0)
        pace = float(spent) / elapsed
        days_ahead = [(day, money(pace * part * 86_400)) for day, part in ahead]
        method = "the period's own pace: fewer than two full days are known"
        return Forecast(start, end, spent, spent + money(pace * rest), spent, None, method, days_ahead)
    by_weekday = len(past) >= LEAST_FOR_WEEKDAYS
    seen: dict[int, list[float]] = defaultdict(list)
    for day, cost in past:
        seen[day.weekday() if by_weekday else 0].append(float(cost))
    means = {key: statistics.fmean(costs) for key, costs in seen.items()}
    residuals = [cost - means[key] for key, costs in seen.items() for cost in costs]
    freedom = max(len(residuals) - len(means), 1)
    spread = math.sqrt(sum(residual**2 for residual in residuals) / freedom)
    weights: dict[int, float] = defaultdict(float)
    for day, share in ahead:
        weights[day.weekday() if by_weekday else 0] += share
    expected = sum(means[key] * weight for key, weight in weights.items())
    doubt = sum(weight**2 / len(seen[key]) for key, weight in weights.items())
    deviation = spread * math.sqrt(sum(share**2 for _, share in ahead) + doubt)
    reach = quantile(freedom) * deviation
    method = f"{'each weekday of' if by_weekday else 'the mean of'} {len(past)} days"
    low, high = spent + money(max(expected - reach, 0.0)), spent + money(expected + reach)
    days_ahead = [(day, money(means[day.weekday() if by_weekday else 0] * part)) for day, part in ahead]
    return Forecast(start, end, spent, spent + money(expected), low, high, method, days_ahead)


def shares_ahead(until: datetime, end: datetime) -> list[tuple[date, float]]:
    """List the days that are left, with the part of each that is."""
    found = []
    day = until.date()
    while (begin := datetime(day.year, day.month, day.day, tzinfo=until.tzinfo)) < end:
        following = begin + timedelta(days=1)
        length = (following - begin).total_seconds()
        found.append((day, (min(following, end) - max(begin, until)).total_seconds() / length))
        day = following.date()
    return found


def quantile(freedom: int) -> float:
    """Student's quantile for the interval, by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5)."""
    z = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def anomalies(groups: dict[str, dict[date, Decimal]], since: date, end: date) -> list[Anomaly]:
    """Find days far above the days before them: the usual cost plus five scaled median absolute deviations.

    Usual is the median of the same weekday, where four of the last eight weeks have it, else of the last two weeks.
    The deviation is relative: that of the last two weeks from what was usual for each of their days, scaled by 1.4826
    as for a normal distribution (Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013), and taken as at least a tenth, so
    that a flat past does not make everything odd. Where nothing is usual, a day is odd that costs more than any of two
    weeks.

    Args:
        groups: Cost by group and day.
        since: The first day that may be odd.
        end: The day after the last.
    """
    total: dict[date, Decimal] = defaultdict(Decimal)
    for days in groups.values():
        for day, cost in days.items():
            total[day] += cost
    series = filled(total, max(min(total, default=end), since - timedelta(days=HISTORY)), end)
    costs = [float(cost) for _, cost in series]
    usual = [usual_at(costs, place) for place in range(len(series))]
    found = []
    for place in range(LEAST_PAST, len(series)):
        day, cost = series[place]
        past = range(max(1, place - WINDOW), place)
        deviations = [abs(costs[before] / usual[before] - 1) for before in past if usual[before] > 0] or [0.0]
        spread = max(1.4826 * statistics.median(deviations), 0.1)
        bound = usual[place] * (1 + SCORE * spread) or max(costs[max(0, place - WINDOW) : place])
        if day >= since and cost > 0 and costs[place] > bound:
            days_before = [series[before][0] for before in range(max(0, place - WINDOW), place)]
            found.append(Anomaly(day, cost, money(usual[place]), driver(groups, day, days_before)))
    return found


def usual_at(costs: list[float], place: int) -> float:
    """Give what a day should cost by the days before it."""
    weekday = costs[max(place % 7, place - HISTORY) : place : 7]
    if len(weekday) >= LEAST_WEEKS:
        return statistics.median(weekday)
    return statistics.median(costs[max(0, place - WINDOW) : place] or [0.0])


def driver(groups: dict[str, dict[date, Decimal]], day: date, past: list[date]) -> str:
    """Name the group whose cost rose the most over its own median."""

    def rise(name: str) -> Decimal:
        days = groups[name]
        return days.get(day, Decimal(0)) - statistics.median(days.get(before, Decimal(0)) for before in past)

    return max(groups, key=rise)
