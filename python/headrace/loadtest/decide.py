"""From samples to met, failed or undecided, by confidence intervals.

A criterion is met when its figure's interval lies inside the bound, failed when it lies outside, and otherwise
undecided: more samples are needed. Intervals are one-sided at 95 % in the direction that matters.

- rates: exact (Clopper and Pearson 1934); 20 of 20 does not show "> 90 %", 29 of 29 does;
- quantiles: order statistics; a p95 takes 59 samples to be bounded from above at all, a p99 299; from 200 values on
  also the moving-block bootstrap, as latencies depend on their neighbours, and the wider of the two counts;
- means: batch means where there are enough values, for latencies depend on their neighbours; else Student's t;
- counts, minima and maxima: as observed, nothing is inferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from headrace import loadgen
from headrace.loadtest.expression import Threshold
from headrace.loadtest.metric import Count, Metric, Rate, Trend

Outcome = Literal["met", "failed", "undecided"]

# A two-sided interval at 90 % has one-sided bounds at 95 %.
_TWO_SIDED = 0.90
_ONE_SIDED = 0.95
_BATCHES = 20
# Below this there are too few blocks to draw from.
_LEAST_FOR_BLOCKS = 200
_RESAMPLES = 200


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


def decide(threshold: Threshold, metric: Metric | None, baseline: float | None = None) -> Decision:
    """Hold samples against a threshold.

    Args:
        threshold: the bound.
        metric: the samples; None where there are none.
        baseline: the figure of an earlier run, for a relative bound.

    >>> from headrace.loadtest.expression import parse
    >>> decide(parse("rate > 0.90"), Rate(20, 20)).outcome, decide(parse("rate > 0.90"), Rate(29, 29)).outcome
    ('undecided', 'met')
    """
    if metric is None or len(metric) == 0:
        return Decision("undecided", math.nan, math.nan, math.nan, 0, "there is no sample")
    value, low, high, exact = _estimate(threshold, metric)
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


def _estimate(threshold: Threshold, metric: Metric) -> tuple[float, float, float, bool]:
    """The figure, its interval, and whether it is exact."""
    if isinstance(metric, Rate):
        value = metric.successes / metric.trials
        low = loadgen.rate_lower_bound(metric.successes, metric.trials, _ONE_SIDED)
        high = loadgen.rate_upper_bound(metric.successes, metric.trials, _ONE_SIDED)
        return value, low, high, False
    if isinstance(metric, Count):
        return metric.total, metric.total, metric.total, True
    return _of_trend(threshold, metric)


def _of_trend(threshold: Threshold, metric: Trend) -> tuple[float, float, float, bool]:
    values = metric.values
    match threshold.aggregation:
        case "max":
            figure = float(values.max())
        case "min":
            figure = float(values.min())
        case "count":
            figure = float(len(values))
        case "avg" | "rate" if len(values) < 2:
            return float(values.mean()), -math.inf, math.inf, False
        case "avg" | "rate":
            enough = len(values) >= 2 * _BATCHES
            interval = (
                loadgen.batch_means(values, _BATCHES, _TWO_SIDED)
                if enough
                else loadgen.mean_interval(values, _TWO_SIDED)
            )
            return interval.value, interval.low, interval.high, False
        case _:
            return _of_quantile(values, threshold.quantile)
    return figure, figure, figure, True


def _of_quantile(values: npt.NDArray[np.float64], q: float) -> tuple[float, float, float, bool]:
    value = loadgen.quantile_interval(values, q, _TWO_SIDED).value
    low = loadgen.quantile_lower_bound(values, q, _ONE_SIDED)
    high = loadgen.quantile_upper_bound(values, q, _ONE_SIDED)
    # Order statistics take values for independent. In a queue a slow one is followed by slow ones.
    if len(values) >= _LEAST_FOR_BLOCKS:
        blocks = loadgen.block_bootstrap(values, q, resamples=_RESAMPLES, confidence=_TWO_SIDED)
        low, high = min(low, blocks.low), max(high, blocks.high)
    return value, low, high, False
