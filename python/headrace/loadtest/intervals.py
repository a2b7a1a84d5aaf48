"""Intervals of values in order of time, where a slow one is followed by slow ones.

A thousand latencies of a busy queue say as much as fifty that know nothing of one another. So the values are counted
for as many as they are worth: their number over the time that their correlation lasts, which is summed until it drowns in
noise (the initial monotone sequence of Geyer, "Practical Markov Chain Monte Carlo", 1992). On that number rest

- quantiles: order statistics, exact for independent values whatever their distribution;
- means: Student's t, longer on the side of the long tail (the first term of the Cornish-Fisher expansion: Johnson 1978,
  "Modified t tests and confidence intervals for asymmetrical populations").

How often the bounds hold is measured in docs/loadtest.md.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from headrace import loadgen

Values: TypeAlias = npt.NDArray[np.float64]
Interval: TypeAlias = tuple[float, float, float]


def effective_size(values: Values) -> float:
    """For how many independent values these count.

    >>> rng = np.random.default_rng(7)
    >>> independent = rng.exponential(size=4000)
    >>> 3000 < effective_size(independent) <= 4000
    True
    >>> 300 < effective_size(np.repeat(independent[:400], 10)) < 500
    True
    """
    n = len(values)
    centred = values - values.mean()
    if n < 4 or not centred.any():
        return float(n)
    # Padded, so that the end does not meet the beginning.
    spectrum = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(spectrum * spectrum.conj())[: n - n % 2]
    pairs = (covariance / covariance[0]).reshape(-1, 2).sum(axis=1)
    positive = pairs[: np.argmax(pairs <= 0)] if (pairs <= 0).any() else pairs
    time = 2 * float(np.minimum.accumulate(positive).sum()) - 1
    return n / max(1.0, time)


def quantile(values: Values, q: float, confidence: float, limit: float, independent: bool = False) -> Interval:
    """A quantile between its one-sided bounds; infinite where the values are worth too few to say.

    Args:
        values: in order of time.
        q: which quantile.
        confidence: of each bound.
        limit: what the quantile is held against. How many are beyond it is what is in doubt, so what counts is how long
            a crossing lasts: that of the limit, and that of half of it, for a rare crossing tells little of itself.
        independent: whether each is a measurement of its own; how a handful of values correlate cannot be estimated.

    >>> quantile(np.arange(1.0, 60.0) % 7, 0.95, 0.95, 20)[2], quantile(np.arange(1.0, 59.0) % 7, 0.95, 0.95, 20)[2]
    (6.0, inf)
    """
    ordered = np.sort(values)
    estimate = float(ordered[_rank(q, len(ordered))])
    sizes = (effective_size((values > level).astype(np.float64)) for level in (limit, limit / 2))
    worth = len(values) if independent else max(1, int(min(sizes)))
    # As many values, evenly from the smallest to the largest, as they are worth.
    kept = ordered[[_rank((k + 1) / worth, len(ordered)) for k in range(worth)]]
    low = loadgen.quantile_lower_bound(kept, q, confidence)
    high = loadgen.quantile_upper_bound(kept, q, confidence)
    return estimate, min(low, estimate), max(high, estimate)


def mean(values: Values, confidence: float, independent: bool = False) -> Interval:
    """The mean between its one-sided bounds; infinite where the values are worth fewer than two."""
    centre, size = float(values.mean()), float(len(values)) if independent else effective_size(values)
    if size < 2:
        return centre, 0.0 if values.min() >= 0 else -math.inf, math.inf
    deviation = float(values.std(ddof=1))
    if deviation == 0:
        return centre, centre, centre
    error = deviation / math.sqrt(size)
    t = loadgen.t_quantile(confidence, size - 1)
    skewness = float((((values - centre) / deviation) ** 3).mean())
    longer = skewness / (6 * math.sqrt(size)) * (1 + 2 * t * t)
    low, high = centre - error * (t + max(0.0, -longer)), centre + error * (t + max(0.0, longer))
    # Of times, rates and amounts none is below zero, and so neither is their mean.
    return centre, max(0.0, low) if values.min() >= 0 else low, high


def _rank(share: float, n: int) -> int:
    return min(n - 1, max(0, math.ceil(share * n - 1e-9) - 1))
