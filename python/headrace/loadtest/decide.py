"""From samples to met, failed or undecided, by confidence intervals.

A criterion is met when its figure's interval lies inside the bound, failed when it lies outside, and otherwise
undecided: more samples are needed. Intervals are one-sided in the direction that matters, at 95 % where the samples
are looked at once. A scenario looks again when more have come, and whoever looks often enough sees what they hope for:
so all looks share the 5 % (`confidence_of_look`).

- rates: exact (Clopper and Pearson 1934); 20 of 20 does not show "> 90 %", 29 of 29 does;
- quantiles and means: see `intervals`; a p95 takes 59 values that know nothing of one another to be bounded from above
  at all, a p99 299;
- counts, minima and maxima: as observed, nothing is inferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from headrace import loadgen
from headrace.loadtest import intervals, needs
from headrace.loadtest.baseline import Earlier
from headrace.loadtest.expression import Threshold
from headrace.loadtest.metric import Count, Metric, Rate, Trend

Outcome = Literal["met", "failed", "undecided"]

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Decision:
    """What the samples say of a threshold.

    Attributes:
        outcome: met, failed or undecided.
        value: the estimate; NaN without a sample.
        low: the lower end of its interval.
        high: the upper end.
        samples: how many there were.
        why: in words, where it is not met.
    """

    outcome: Outcome
    value: float
    low: float
    high: float
    samples: int
    why: str = ""


def confidence_of_look(look: int) -> float:
    """The one-sided confidence of the k-th look at growing samples.

    The k-th look has 6/(πk)² of the doubt of 5 %, which however many looks follow adds up to 5 % at most.

    >>> [round(confidence_of_look(look), 4) for look in (1, 2, 3)]
    [0.9696, 0.9924, 0.9966]
    """
    return 1 - (1 - _CONFIDENCE) * 6 / (math.pi * look) ** 2


def decide(
    threshold: Threshold,
    metric: Metric | None,
    baseline: float | Earlier | None = None,
    confidence: float = _CONFIDENCE,
) -> Decision:
    """Hold samples against a threshold.

    Args:
        threshold: the bound.
        metric: the samples; None where there are none.
        baseline: the figure of an earlier run, for a relative bound; with its interval, its worse end counts.
        confidence: of each one-sided bound; 95 % for samples that are looked at once.

    >>> from headrace.loadtest.expression import parse
    >>> decide(parse("rate > 0.90"), Rate(20, 20)).outcome, decide(parse("rate > 0.90"), Rate(29, 29)).outcome
    ('undecided', 'met')
    """
    if metric is None or len(metric) == 0:
        return Decision("undecided", math.nan, math.nan, math.nan, 0, "there is no sample")
    earlier = Earlier(baseline) if isinstance(baseline, float) else baseline
    limit = threshold.bound
    if threshold.relative:
        limit = earlier.far_end(threshold.is_upper) * (1 + threshold.bound) if earlier else 0.0
    value, low, high, exact = _estimate(threshold, metric, confidence, limit)
    if threshold.relative:
        return _against(threshold, earlier, limit, value, low, high, len(metric))
    if exact or threshold.operator == "==":
        outcome: Outcome = "met" if threshold.holds(value) else "failed"
    elif threshold.is_upper:
        outcome = "met" if threshold.holds(high) else "failed" if not threshold.holds(low) else "undecided"
    else:
        outcome = "met" if threshold.holds(low) else "failed" if not threshold.holds(high) else "undecided"
    why = {
        "met": "",
        "failed": f"{threshold.text} does not hold",
        "undecided": f"{len(metric)} samples do not decide {threshold.text}{_too_few(threshold, len(metric))}",
    }[outcome]
    return Decision(outcome, value, low, high, len(metric), why)


def _too_few(threshold: Threshold, samples: int) -> str:
    least = needs.least(threshold)
    return f": it takes at least {least}" if samples < least else ""


def _against(
    threshold: Threshold, earlier: Earlier | None, bound: float, value: float, low: float, high: float, samples: int
) -> Decision:
    if earlier is None:
        return Decision("undecided", value, low, high, samples, "there is no baseline to compare with")
    nearest = low if threshold.is_upper else high
    if threshold.holds(value, bound):
        return Decision("met", value, low, high, samples)
    # Noise alone must not fail a build: both the estimate and the near end of its interval have to be outside.
    told = f"{value:.4g} against {earlier.value:.4g} before"
    if threshold.holds(nearest, bound):
        return Decision("undecided", value, low, high, samples, f"{told} may be chance: allow more time")
    return Decision("failed", value, low, high, samples, f"{told}: {threshold.text} does not hold")


def _estimate(
    threshold: Threshold, metric: Metric, confidence: float, limit: float
) -> tuple[float, float, float, bool]:
    """The figure, its interval, and whether it is exact."""
    if isinstance(metric, Rate):
        value = metric.successes / metric.trials
        low = loadgen.rate_lower_bound(metric.successes, metric.trials, confidence)
        high = loadgen.rate_upper_bound(metric.successes, metric.trials, confidence)
        return value, low, high, False
    if isinstance(metric, Count):
        return metric.total, metric.total, metric.total, True
    return _of_trend(threshold, metric, confidence, limit)


def _of_trend(threshold: Threshold, metric: Trend, confidence: float, limit: float) -> tuple[float, float, float, bool]:
    values = metric.values
    match threshold.aggregation:
        case "max":
            figure = float(values.max())
        case "min":
            figure = float(values.min())
        case "count":
            figure = float(len(values))
        case "avg" | "rate":
            return *intervals.mean(values, confidence, metric.replicated), False
        case _:
            found = intervals.quantile(values, threshold.quantile, confidence, limit, metric.replicated)
            return *found, False
    return figure, figure, figure, True
