"""Results of criteria, and what they say together: ready, or not ready and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.loadtest.baseline import Earlier
from headrace.loadtest.criteria import Criterion
from headrace.loadtest.decide import Decision, decide
from headrace.loadtest.metric import Metric
from headrace.loadtest.process import told as process_told

READY, NOT_READY, COULD_NOT_RUN = 0, 99, 2


@dataclass(frozen=True)
class Result:
    """A criterion with what was decided of it."""

    criterion: Criterion
    decision: Decision
    warned: bool = False

    @property
    def holds_up(self) -> bool:
        """Whether it keeps a release from going out: blocking, and not met."""
        return self.criterion.tier == "blocking" and self.decision.outcome != "met"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the JSON report."""
        finite = {
            name: value if math.isfinite(value) else None
            for name in ("value", "low", "high")
            for value in [getattr(self.decision, name)]
        }
        return {
            "scenario": self.criterion.scenario,
            "metric": self.criterion.metric,
            "title": self.criterion.title,
            "threshold": self.criterion.threshold.text,
            "tier": self.criterion.tier,
            "unit": self.criterion.unit,
            "outcome": self.decision.outcome,
            "warned": self.warned,
            **finite,
            "samples": self.decision.samples,
            "why": self.decision.why,
            "goal": self.criterion.goal,
            "reference": self.criterion.reference,
            "note": self.criterion.note,
        }


def judge(criterion: Criterion, metric: Metric | None, baseline: Earlier | None, confidence: float) -> Result:
    """Decide a criterion."""
    decision = decide(criterion.threshold, metric, baseline, confidence)
    warned = (
        criterion.warning is not None and decide(criterion.warning, metric, baseline, confidence).outcome == "failed"
    )
    return Result(criterion, decision, warned)


@dataclass
class ScenarioResult:
    """What became of one scenario."""

    name: str
    title: str
    results: list[Result] = field(default_factory=list)
    rounds: int = 0
    void: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    series: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    target_process: dict[str, Any] | None = None
    groups: list[dict[str, Any]] = field(default_factory=list)

    @property
    def remarks(self) -> list[str]:
        """What must be said beside the table: errors by kind, what could not be tested."""
        kinds = _kinds(self.errors)
        process = [process_told(self.target_process)] if self.target_process else []
        return [f"{self.name}: {said}" for said in ([f"errors: {kinds}"] if kinds else []) + self.notes + process]

    @property
    def problems(self) -> list[str]:
        """What keeps it from being ready, each in a line."""
        found = [f"{r.criterion.name} ({r.decision.outcome}: {r.decision.why})" for r in self.results if r.holds_up]
        if self.void and not self.rounds:
            found.insert(0, f"{self.name}: all {len(self.void)} rounds are void: {self.void[0]}")
        if self.error:
            found.insert(0, f"{self.name} could not finish: {self.error}")
        if self.errors and not self.error and any(not r.decision.samples for r in self.results if r.holds_up):
            found.insert(0, f"{self.name}: no request was answered: {_kinds(self.errors)}")
        if not self.results and not self.error:
            found.append(f"{self.name} has no criterion")
        return found


def _kinds(errors: dict[str, int]) -> str:
    return ", ".join(f"{kind} {n}" for kind, n in errors.items())


@dataclass
class SuiteResult:
    """What became of a suite."""

    suite: str
    target: str
    scenarios: list[ScenarioResult] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0
    resumed: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What keeps it from being ready."""
        return [problem for scenario in self.scenarios for problem in scenario.problems]

    @property
    def ready(self) -> bool:
        """Whether everything that must hold was shown to hold. A suite that ran nothing shows nothing."""
        return bool(self.scenarios or self.resumed) and not self.problems

    @property
    def exit_code(self) -> int:
        """0 ready, 99 not ready, 2 could not run."""
        if not self.scenarios and not self.resumed:
            return COULD_NOT_RUN
        return READY if self.ready else NOT_READY

    @property
    def results(self) -> Sequence[Result]:
        """The results of all scenarios."""
        return [result for scenario in self.scenarios for result in scenario.results]


def figure(value: float, unit: str) -> str:
    """A figure for people, with three digits.

    >>> figure(0.66712, "%"), figure(12.3456, "ms"), figure(1234567, "/s"), figure(float("inf"), "ms")
    ('66.7 %', '12.3 ms', '1,234,567 /s', '∞')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "%":
        return f"{value * 100:.3g} %" if value < 0.9995 or value == 1 else f"{value * 100:.2f} %"
    text = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".strip()
