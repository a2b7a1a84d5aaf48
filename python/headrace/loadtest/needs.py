"""How many samples a criterion takes at least, so that it is said before time is spent on too few."""

from __future__ import annotations

from collections.abc import Iterable

from headrace import loadgen
from headrace.loadtest.criteria import Criterion
from headrace.loadtest.expression import Threshold

# Rounds become faster when pools are full and code is warm: only what is short by more than this is given up.
_MARGIN = 2.0


def least(threshold: Threshold) -> int:
    """How many samples it takes to show that a threshold holds, at best: all good, none depending on its neighbour.

    >>> from headrace.loadtest.expression import parse
    >>> [least(parse(text)) for text in ("p(95) < 20ms", "p(99) < 20ms", "med < 2", "rate > 0.90", "rate < 0.01")]
    [59, 299, 5, 29, 299]
    >>> [least(parse(text)) for text in ("avg < 20ms", "max < 1s", "count == 0", "rate == 1")]
    [2, 1, 1, 1]
    """
    if threshold.operator == "==" or threshold.relative:
        return 1
    match threshold.aggregation:
        case "p" | "med":
            return loadgen.least_values(threshold.quantile if threshold.is_upper else 1 - threshold.quantile)
        case "rate":
            share = 1 - threshold.bound if threshold.is_upper else threshold.bound
            return loadgen.least_trials(share) if 0 < share < 1 else 1
        case "avg":
            return 2
    return 1


def told(name: str, criteria: Iterable[Criterion]) -> str:
    """What a scenario needs, in a line; empty where one sample of each does."""
    needed: dict[str, tuple[int, str]] = {}
    for criterion in criteria:
        n = least(criterion.threshold)
        if criterion.tier == "blocking" and n > needed.get(criterion.metric, (2, ""))[0]:
            needed[criterion.metric] = (n, criterion.threshold.text)
    if not needed:
        return ""
    (metric, (first, text)), *more = needed.items()
    rest = "".join(f", {n} of {other} ({text})" for other, (n, text) in more)
    return f"{name} needs at least {first} values of {metric} ({text}){rest}"


def hopeless(criterion: Criterion, there: int, expected: float, seconds: float) -> str:
    """Why a criterion cannot be decided in its time; empty where it can.

    Args:
        criterion: what must hold.
        there: how many samples there are.
        expected: how many there will be when the time is up.
        seconds: the time of the scenario.
    """
    n = least(criterion.threshold)
    if there >= n or expected * _MARGIN >= n:
        return ""
    return (
        f"it takes at least {n} values, and {seconds:g} s have time for about {expected:.0f}: "
        f"ask more in a round, or allow more seconds"
    )
