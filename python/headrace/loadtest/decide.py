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
from headrace.loadtest import intervals
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
    threshold: Threshold, metric: Metric | None, baseline: float | None = None, confidence: float = _CONFIDENCE
) -> Decision:
    """Hold samples against a threshold.

    Args:
        threshold: the bound.
        metric: the samples; None where there are none.
        baseline: the figure of an earlier run, for a relative bound.
        confidence: of each one-sided bound; 95 % for samples that are looked at once.

    >>> from headrace.loadtest.expression import parse
    >>> decide(parse("rate > 0.90"), Rate(20, 20)).outcome, decide(parse("rate > 0.90"), Rate(29, 29)).outcome
    ('undecided', 'met')
    """
    if metric is None or len(metric) == 0:
        return Decision("undecided", math.nan, math.nan, math.nan, 0, "there is no sample")
    limit = threshold.bound if not threshold.relative else (baseline or 0.0) * (1 + threshold.bound)
    value, low, high, exact = _estimate(threshold, metric, confidence, limit)
    if threshold.relative:
        return _against(threshold, baseline, value, low, high, len(metric))
    if exact or threshold.operator == "==":
        outcome: Outcome = "met" if threshold.holds(value) else "failed"
    elif threshold.is_upper:
        outcome = "met" if threshold.holds(high) else "failed" if not threshold.holds(low) else "undecided"
    else:
        outcome = "met" if threshold.holds(low) else "failed" if not threshold.holds(high) else "undecided"
    why = {
        "met": "",
        "failed": f"{threshold.text} does not hold",
        "undecided": f"{len(metric)} samples do not decide {threshold.text}",
    }[outcome]
    return Decision(outcome, value, low, high, len(metric), why)


def _against(
    threshold: Threshold, baseline: float | None, value: float, low: float, high: float, samples: int
) -> Decision:
    if baseline is None:
        return Decision("undecided", value, low, high, samples, "there is no baseline to compare with")
    bound = baseline * (1 + threshold.bound)
    nearest = low if threshold.is_upper else high
    # Noise alone must not fail a build: both the estimate and the near end of its interval have to be outside.
    failed = not threshold.holds(value, bound) and not threshold.holds(nearest, bound)
    why = f"{value:.4g} against {baseline:.4g} before: {threshold.text} does not hold" if failed else ""
    return Decision("failed" if failed else "met", value, low, high, samples, why)


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
