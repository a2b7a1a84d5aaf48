"""Threshold expressions: `p(95) < 20ms`, `rate > 0.90`, `count == 0`, `avg <= +10%`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from headrace.errors import ConfigError

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_AGGREGATIONS = ("avg", "med", "min", "max", "count", "rate", "p(N)")
_UNITS = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001, "%": 0.01, "/s": 1.0, "MB": 1.0, "MB/h": 1.0, "USD": 1.0}
_PATTERN = re.compile(
    r"""\s*(?P<aggregation>p\(\s*[\d.]+\s*\)|[a-z]\w*)
        \s*(?P<operator><=|>=|==|<|>)
        \s*(?P<sign>[+-])?(?P<bound>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
        \s*(?P<unit>ms|us|s|%|/s|MB/h|MB|USD)?\s*""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Threshold:
    """A bound on one aggregation of a metric.

    Attributes:
        text: as it was written.
        aggregation: avg, med, min, max, count, rate or p.
        quantile: of `p`, from 0 to 1.
        operator: how the figure relates to the bound.
        bound: in the metric's unit (milliseconds for times), or for a relative one the change as a share.
        relative: whether the bound is a change against a baseline.
    """

    text: str
    aggregation: str
    quantile: float
    operator: str
    bound: float
    relative: bool = False

    @property
    def is_upper(self) -> bool:
        """Whether the figure must stay below the bound."""
        return self.operator in ("<", "<=")

    def holds(self, value: float, bound: float | None = None) -> bool:
        """Whether a value satisfies the bound, or another bound in its place."""
        return _OPERATORS[self.operator](value, self.bound if bound is None else bound)


def parse(text: str) -> Threshold:
    """Read an expression.

    Raises:
        ConfigError: it cannot be read; the message says where and what was expected.

    >>> parse("p(95) < 2s").bound
    2000.0
    >>> parse("avg <= +10%").relative
    True
    >>> parse("p95 < 20")
    Traceback (most recent call last):
        ...
    headrace.errors.ConfigError: threshold 'p95 < 20': 'p95' is no aggregation: write p(95), or one of avg, med, min, max, count, rate
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        start = _PATTERN.match(text)
        place = start.end() if start else 0
        raise ConfigError(
            f"threshold {text!r} cannot be read from character {place + 1} on: write an aggregation "
            f"({', '.join(_AGGREGATIONS)}), one of {' '.join(_OPERATORS)}, and a number with or without a unit"
        )
    name = match["aggregation"].replace(" ", "")
    quantile = 0.5
    if name.startswith("p("):
        quantile = float(name[2:-1]) / 100
        name = "p"
        if not 0 < quantile < 1:
            raise ConfigError(f"threshold {text!r}: p() takes a number between 0 and 100")
    elif name not in _AGGREGATIONS[:-1]:
        nearest = f"p({name[1:]})" if re.fullmatch(r"p\d+", name) else "p(95)"
        raise ConfigError(
            f"threshold {text!r}: {name!r} is no aggregation: write {nearest}, or one of "
            f"{', '.join(_AGGREGATIONS[:-1])}"
        )
    unit, sign = match["unit"] or "", match["sign"]
    bound = float(match["bound"]) * _UNITS[unit] * (-1 if sign == "-" else 1)
    return Threshold(text.strip(), name, quantile, match["operator"], bound, relative=sign is not None and unit == "%")
