"""An earlier run to compare with: each figure that has a size is held against what it was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.loadtest.criteria import Criterion
from headrace.loadtest.expression import Threshold, parse

# An extreme is another each time, and what must hold every time either does or does not: neither has a degree.
_COMPARED = ("avg", "med", "p", "rate")


@dataclass(frozen=True)
class Earlier:
    """A figure of the earlier run, between the ends of its interval; an end that was not bounded is infinite."""

    value: float
    low: float = -math.inf
    high: float = math.inf

    def far_end(self, is_upper: bool) -> float:
        """The worse end of the interval, which chance alone may have kept the earlier figure from."""
        end = self.high if is_upper else self.low
        return end if math.isfinite(end) else self.value


class Baseline:
    """The figures of a report.json.

    Args:
        path: of the report; None has no figures.
        tolerance: by how much a figure may become worse, as a share.

    Raises:
        ConfigError: the file is no report.
    """

    def __init__(self, path: str | None = None, tolerance: float = 0.1) -> None:
        self.path, self._tolerance = path, tolerance
        self._figures: dict[tuple[str, str, str, float], Earlier] = {}
        if path is None:
            return
        try:
            report = json.loads(Path(path).read_text(encoding="utf-8"))
            for row in (row for scenario in report["scenarios"] for row in scenario["results"]):
                if row["value"] is not None:
                    self._figures[_key(row["scenario"], row["metric"], parse(row["threshold"]))] = _read(row)
        except (OSError, ValueError, KeyError, TypeError) as error:
            told = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ConfigError(f"baseline {path} cannot be read: {told}; give a report.json of an earlier run") from None

    def of(self, criterion: Criterion) -> Earlier | None:
        """What a criterion's figure was, whatever its limit was then."""
        return self._figures.get(_key(criterion.scenario, criterion.metric, criterion.threshold))

    def compared(self, criteria: Iterable[Criterion]) -> list[Criterion]:
        """A criterion for each figure that has a size and says nothing itself of how it may change."""
        listed = list(criteria)
        own = {_key(c.scenario, c.metric, c.threshold) for c in listed if c.threshold.relative}
        made: dict[tuple[str, str, str, float], Criterion] = {}
        for criterion in listed:
            threshold, key = criterion.threshold, _key(criterion.scenario, criterion.metric, criterion.threshold)
            earlier = self._figures.get(key)
            if key in own or earlier is None or earlier.value <= 0:
                continue
            if threshold.operator != "==" and threshold.aggregation in _COMPARED:
                bound = f"{'<= +' if threshold.is_upper else '>= -'}{self._tolerance * 100:g}%"
                aggregation = threshold.text.split(threshold.operator)[0].strip()
                title = f"{criterion.title}, beside the baseline"
                made[key] = replace(
                    criterion,
                    threshold=parse(f"{aggregation} {bound}"),
                    warning=None,
                    tier="blocking",
                    title=title,
                    goal="",
                    reference="",
                    note="",
                )
        return list(made.values())


def _key(scenario: str, metric: str, threshold: Threshold) -> tuple[str, str, str, float]:
    return scenario, metric, threshold.aggregation, threshold.quantile


def _read(row: dict[str, Any]) -> Earlier:
    low, high = row.get("low"), row.get("high")
    return Earlier(
        float(row["value"]), -math.inf if low is None else float(low), math.inf if high is None else float(high)
    )
