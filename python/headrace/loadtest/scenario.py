"""A scenario at work: rounds of samples, until its criteria are decided or its time is up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from headrace.loadtest import needs
from headrace.loadtest.baseline import Baseline
from headrace.loadtest.criteria import Criterion
from headrace.loadtest.decide import confidence_of_look
from headrace.loadtest.groups import Groups
from headrace.loadtest.metric import Count, Metric, Rate, Trend
from headrace.loadtest.round import Round
from headrace.loadtest.target import TargetServer
from headrace.loadtest.verdict import Result, ScenarioResult, judge

# By how much the rounds have to grow before the samples are looked at again.
_GROWTH = 1.5
# A plot shows no more points than a person can tell apart.
_MOST_POINTS = 2000
# How long, in seconds, a round may go on when its scenario has had its time twice.
_GRACE = 10.0
# Nor does anybody read more notes than this.
_MOST_NOTES = 20


class Scenario:
    """Collects rounds and decides criteria.

    Args:
        name: as in the criteria.
        title: for people.
        criteria: what must hold.
        seconds: the time that its rounds may take.
        seed: of its workload.
        config: what the command line says: target, model, spoil, ...
        baseline: the figures of an earlier run.
        keep_late: count rounds that the load generator was late in, with a note, in place of leaving them out.
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
        baseline: Baseline | None = None,
        keep_late: bool = False,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.name, self.title, self.criteria = name, title, list(criteria)
        self.seconds, self.seed, self.config = seconds, seed, config
        self.metrics: dict[str, Metric] = {}
        self._baseline, self._keep_late = baseline or Baseline(), keep_late
        self._series: dict[str, Any] = {}
        self._groups = Groups()
        self._tell = tell
        self._errors: Counter[str] = Counter()
        self._notes: dict[str, None] = {}
        self._untested: set[str] = set()
        self._rounds = 0
        self._looks = self._looked_at = 0
        self._results: dict[str, Result] = {}
        # Why a criterion cannot be decided in the time that there is.
        self._hopeless: dict[str, str] = {}
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
            seconds = time.monotonic() - started
            if self._tell is not None:
                self._tell(self._where(seconds))
            if round.is_without_answer and self.config is not None:
                self.config.must_be_there()
            if seconds > self.seconds or self._is_hopeless(index + 1, most, seconds):
                return
            if self._rounds >= next_look:
                next_look = max(self._rounds + 1, int(self._rounds * _GROWTH))
                if self._is_decided():
                    return

    @property
    def target(self) -> TargetServer:
        """The server to test: the one at `--headrace-target`, else a simulated one; its URL, model, and how to ask it."""
        found: TargetServer = self.config.tested()
        return found

    def _is_hopeless(self, rounds: int, most: int, seconds: float) -> bool:
        """Whether a criterion that must hold has no chance of enough samples in the time, going by the rounds so far."""
        if not self._rounds:
            return False
        to_come = min(most, rounds * self.seconds / max(seconds, 1e-9))
        for criterion in self.criteria:
            metric = self.metrics.get(criterion.metric)
            if criterion.tier == "blocking" and metric is not None:
                why = needs.hopeless(criterion, len(metric), len(metric) * to_come / rounds, self.seconds)
                if why:
                    self._hopeless[criterion.name] = why
        return bool(self._hopeless)

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
            if not self._keep_late:
                self._void.append(round.void_because)
                return
            self._notes.setdefault(f"counted all the same: {round.void_because}", None)
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
        return [self._explained(self._results[c.name]) for c in self.criteria if c.metric not in left_out]

    def _explained(self, result: Result) -> Result:
        why = self._hopeless.get(result.criterion.name)
        if why is None or result.decision.outcome != "undecided":
            return result
        return replace(result, decision=replace(result.decision, why=why))

    def _look(self) -> None:
        self._looks, self._looked_at = self._looks + 1, self._rounds
        confidence = confidence_of_look(self._looks)
        for criterion in self.criteria:
            name = criterion.name
            found = judge(criterion, self.metrics.get(criterion.metric), self._baseline.of(criterion), confidence)
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
    step = max(1, -(-len(points) // _MOST_POINTS))
    return points[::step]
