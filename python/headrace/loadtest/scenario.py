"""A scenario at work: rounds of samples, until its criteria are decided or its time is up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from headrace.loadtest.criteria import Criterion
from headrace.loadtest.decide import confidence_of_look
from headrace.loadtest.groups import Groups
from headrace.loadtest.metric import Count, Metric, Rate, Trend
from headrace.loadtest.verdict import Result, ScenarioResult, judge

# By how much the rounds have to grow before the samples are looked at again.
_GROWTH = 1.5
# A plot shows no more points than a person can tell apart.
_MOST_POINTS = 2000
# How long, in seconds, a round may go on when its scenario has had its time twice.
_GRACE = 10.0
# Nor does anybody read more notes than this.
_MOST_NOTES = 20


class Round:
    """One round of a scenario: samples that count together, or not at all."""

    def __init__(self, index: int) -> None:
        self.index = index
        self._trends: dict[str, list[float]] = {}
        self._rates: dict[str, tuple[int, int]] = {}
        self._counts: dict[str, float] = {}
        self._series: dict[str, tuple[str, list[tuple[float, float]]]] = {}
        self._errors: Counter[str] = Counter()
        self._notes: list[str] = []
        self._untested: dict[str, str] = {}
        self.void_because: str | None = None
        # What it was like for each priority and tenant.
        self.groups = Groups()

    def trend(self, metric: str, values: Iterable[float]) -> None:
        """Add values of a quantity, in order of time; times in milliseconds."""
        self._trends.setdefault(metric, []).extend(float(value) for value in values)

    def rate(self, metric: str, successes: int, trials: int) -> None:
        """Add how often something came out as it should."""
        before = self._rates.get(metric, (0, 0))
        self._rates[metric] = (before[0] + successes, before[1] + trials)

    def count(self, metric: str, n: float) -> None:
        """Add how many of something there were; 0 is worth telling."""
        self._counts[metric] = self._counts.get(metric, 0.0) + n

    def check(self, metric: str, holds: bool) -> None:
        """Add one check that holds or not."""
        self.rate(metric, int(holds), 1)

    def series(self, name: str, points: Iterable[tuple[float, float]], axes: str = "seconds, milliseconds") -> None:
        """Add points for a plot: (x, y), with the names of the axes."""
        self._series.setdefault(name, (axes, []))[1].extend(points)

    def errors(self, kinds: Mapping[str, int]) -> None:
        """Add how many requests failed, by kind, as `Run.summary()["errors"]` has them."""
        self._errors.update(kinds)

    def note(self, text: str) -> None:
        """Say something that the report must state, such as what could not be tested; twice the same is said once."""
        self._notes.append(text)

    def untested(self, metric: str, because: str) -> None:
        """Declare that this target cannot be tested for something: its criteria are left out, and the report says so."""
        self._untested[metric] = because
        self.note(f"not tested: {metric}: {because}")

    def void(self, because: str) -> None:
        """Declare that nothing may be concluded from this round, for example as the generator was the bottleneck."""
        self.void_because = because


class Scenario:
    """Collects rounds and decides criteria.

    Args:
        name: as in the criteria.
        title: for people.
        criteria: what must hold.
        seconds: the time that its rounds may take.
        seed: of its workload.
        config: what the command line says: target, model, spoil, ...
        baseline: figures of an earlier run, by the criterion's name.
        tell: called with where it is, after each round.
    """

    def __init__(
        self,
        name: str,
        title: str,
        criteria: Sequence[Criterion],
        *,
        seconds: float = 10.0,
        seed: int = 0,
        config: Any = None,
        baseline: dict[str, float] | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.name, self.title, self.criteria = name, title, list(criteria)
        self.seconds, self.seed, self.config = seconds, seed, config
        self.metrics: dict[str, Metric] = {}
        self._baseline = baseline or {}
        self._series: dict[str, Any] = {}
        self._groups = Groups()
        self._tell = tell
        self._errors: Counter[str] = Counter()
        self._notes: dict[str, None] = {}
        self._untested: set[str] = set()
        self._rounds = 0
        self._looks = self._looked_at = 0
        self._results: dict[str, Result] = {}
        self._void: list[str] = []
        self._started = time.monotonic()
        self._until = self._started + 2 * seconds + _GRACE

    def rounds(self, least: int = 1, most: int = 1000) -> Iterator[Round]:
        """Rounds until every blocking criterion is decided, or the time is up.

        The samples are looked at after `least` rounds, and again each time there are half as many more: all looks
        share the doubt, and few of them leave each its part.

        Args:
            least: so many are made in any case.
            most: and no more than these.
        """
        started = time.monotonic()
        self._until = started + 2 * self.seconds + _GRACE
        next_look = least
        for index in range(most):
            round = Round(index)
            yield round
            self._take(round)
            if self._tell is not None:
                self._tell(self._where(time.monotonic() - started))
            if time.monotonic() - started > self.seconds:
                return
            if self._rounds >= next_look:
                next_look = max(self._rounds + 1, int(self._rounds * _GROWTH))
                if self._is_decided():
                    return

    def _where(self, seconds: float) -> str:
        void = f", {len(self._void)} void" if self._void else ""
        held = [result.decision.outcome for result in self._results.values()]
        decided = f", {len(held) - held.count('undecided')} of {len(held)} criteria decided" if held else ""
        return f"{self._rounds} round{'s' * (self._rounds != 1)}{void}, {seconds:.0f} of at most {self.seconds:.0f} s{decided}"

    def left(self) -> float:
        """Seconds that a round may still take before what is not asked yet is given up, so that no target holds it up."""
        return max(0.0, self._until - time.monotonic())

    def _take(self, round: Round) -> None:
        self._notes.update(dict.fromkeys(round._notes))
        self._untested.update(round._untested)
        if round.void_because is not None:
            self._void.append(round.void_because)
            return
        self._rounds += 1
        self._errors.update(round._errors)
        self._groups.update(round.groups)
        for name, values in round._trends.items():
            self._metric(name, Trend).add(np.asarray(values, dtype=np.float64))
        for name, (successes, trials) in round._rates.items():
            self._metric(name, Rate).add(successes, trials)
        for name, n in round._counts.items():
            self._metric(name, Count).add(n)
        for name, (axes, points) in round._series.items():
            kept = self._series.setdefault(name, {"axes": axes, "points": []})
            kept["points"] = _thin([*kept["points"], *points])

    def _metric(self, name: str, kind: type[Any]) -> Any:
        metric = self.metrics.setdefault(name, kind())
        if not isinstance(metric, kind):
            raise TypeError(f"metric {name!r} was a {type(metric).__name__} before: keep to one kind")
        return metric

    def _is_decided(self) -> bool:
        return all(r.decision.outcome != "undecided" for r in self.judge() if r.criterion.tier == "blocking")

    def judge(self) -> list[Result]:
        """The results of all criteria so far, without those that this target cannot be tested for."""
        if self._rounds != self._looked_at or not self._looks:
            self._look()
        left_out = self._untested - set(self.metrics)
        return [self._results[c.name] for c in self.criteria if c.metric not in left_out]

    def _look(self) -> None:
        self._looks, self._looked_at = self._looks + 1, self._rounds
        confidence = confidence_of_look(self._looks)
        for criterion in self.criteria:
            name = criterion.name
            found = judge(criterion, self.metrics.get(criterion.metric), self._baseline.get(name), confidence)
            # What was decided stays so until it is decided otherwise: a later look is only more careful.
            earlier = self._results.get(name)
            if earlier is None or earlier.decision.outcome == "undecided" or found.decision.outcome != "undecided":
                self._results[name] = found

    def result(self, error: str = "") -> ScenarioResult:
        """What became of it."""
        return ScenarioResult(
            self.name,
            self.title,
            self.judge(),
            self._rounds,
            self._void,
            time.monotonic() - self._started,
            error,
            {**self._series, **self._percentiles()},
            dict(self._errors.most_common()),
            list(self._notes)[:_MOST_NOTES],
            groups=self._groups.figures(),
        )

    def _percentiles(self) -> dict[str, Any]:
        quantiles = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999]
        return {
            f"{name} by percentile": {
                "axes": "percentile, milliseconds",
                "points": [(q * 100, float(np.quantile(metric.values, q))) for q in quantiles],
            }
            for name, metric in self.metrics.items()
            if isinstance(metric, Trend) and name.endswith("_ms") and len(metric) >= len(quantiles)
        }


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // _MOST_POINTS)
    return points[::step]
