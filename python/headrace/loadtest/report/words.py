"""A report in plain words, for who does not read threshold expressions: what must hold, and what came out, in short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.loadtest.expression import Threshold
from headrace.loadtest.verdict import Result, ScenarioResult, SuiteResult, figure

# What a scenario is about; one that is not here is about itself.
_THEMES = {
    "The queue": ("queue_performance", "queue_load", "saturation", "spike", "tenant_fairness"),
    "The cache": ("cache_efficiency", "cache_load", "cache_warm_up"),
    "The money": ("cost_accuracy", "cost_volume", "budget_exhaustion"),
    "The server's interface": ("api_endpoints", "server_ramp"),
    "Many users at once": (
        "concurrent_handling",
        "concurrent_load",
        "load_light",
        "load_medium",
        "load_heavy",
        "load_burst",
    ),
    "Traffic as it is": ("traffic_conversation", "traffic_bursts", "traffic_season"),
    "When the provider fails": ("error_resilience", "fault_schedule", "failover", "target_faults"),
    "Over time": ("memory_usage", "soak"),
}
# A line of a summary names no more figures than this.
_MOST_FIGURES = 3


@dataclass(frozen=True)
class Line:
    """One line of the summary.

    Args:
        theme: what it is about.
        outcome: the worst of what must hold: met, undecided or failed.
        told: in words.
    """

    theme: str
    outcome: str
    told: str


def must_be(threshold: Threshold, unit: str) -> str:
    """What must hold, in words.

    >>> from headrace.loadtest.expression import parse
    >>> [must_be(parse(text), unit) for text, unit in (("p(95) < 20ms", "ms"), ("rate > 0.90", "%"), ("count == 0", ""))]
    ['below 20 ms for 95 of 100', 'above 90 %', 'none']
    >>> [must_be(parse(text), "ms") for text in ("avg < 2s", "avg <= +10%", "max < 1000ms")]
    ['below 2,000 ms on average', 'at most 10 % above the baseline', 'always below 1,000 ms']
    """
    if threshold.relative:
        side = "at most" if threshold.is_upper else "at least"
        way = "above" if threshold.bound >= 0 else "below"
        return f"{side} {abs(threshold.bound) * 100:g} % {way} the baseline"
    if threshold.operator == "==":
        return {("count", 0.0): "none", ("rate", 1.0): "every time"}.get(
            (threshold.aggregation, threshold.bound), f"exactly {figure(threshold.bound, unit)}"
        )
    side = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}[threshold.operator]
    bound = f"{side} {figure(threshold.bound, unit)}"
    match threshold.aggregation:
        case "p":
            return f"{bound} for {threshold.quantile * 100:g} of 100"
        case "avg":
            return f"{bound} on average"
        case "med":
            return f"{bound} as a rule"
        case "max":
            return f"always {bound}" if threshold.is_upper else f"{bound} at its best"
        case "min":
            return f"{bound} at its best" if threshold.is_upper else f"always {bound}"
        case _:
            return bound


def in_short(result: SuiteResult) -> str:
    """What was done and what it says, in two or three sentences."""
    blocking = [row for row in result.results if row.criterion.tier == "blocking"]
    held = sum(row.decision.outcome == "met" for row in blocking)
    said = [
        f"{len(result.scenarios)} situations were played through in {_length(result.seconds)}. "
        f"Of {len(blocking)} things that must hold, {held} were shown to hold."
    ]
    failed = [row for row in blocking if row.decision.outcome == "failed"]
    open_ones = [row for row in blocking if row.decision.outcome == "undecided"]
    if failed:
        said.append(f"{_plural(len(failed), 'does', 'do')} not hold: what is red below has to be mended.")
    if open_ones:
        said.append(
            f"{_plural(len(open_ones), 'was', 'were')} not decided: run again with more time, or on a machine that does "
            "nothing else. What is not shown does not count as ready."
        )
    if result.ready:
        said.append("Nothing speaks against production.")
    return " ".join(said)


def problems(result: SuiteResult) -> Iterator[tuple[str, str]]:
    """What speaks against it: in words, and as the other reports name it."""
    for scenario in result.scenarios:
        against = {f"{row.criterion.name} ({row.decision.outcome}": row for row in scenario.results if row.holds_up}
        for problem in scenario.problems:
            row = next((row for start, row in against.items() if problem.startswith(start)), None)
            if row is None:
                yield problem, ""
            else:
                fails = "fails" if row.decision.outcome == "failed" else "is not decided"
                yield f"{scenario.title} {fails}: {_told(row)}", problem


def _length(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _plural(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def summary(result: SuiteResult) -> Iterator[Line]:
    """A line for each theme: what is worst of it, and its chief figures."""
    left = list(result.scenarios)
    for theme, names in _THEMES.items():
        mine = [scenario for scenario in left if scenario.name in names]
        left = [scenario for scenario in left if scenario.name not in names]
        if mine:
            yield _line(theme, mine)
    for scenario in left:
        yield _line(scenario.title, [scenario])


def _line(theme: str, scenarios: Sequence[ScenarioResult]) -> Line:
    rows = [row for scenario in scenarios for row in scenario.results]
    against = [row for row in rows if row.holds_up]
    failed = any(row.decision.outcome == "failed" for row in against) or any(scenario.error for scenario in scenarios)
    if against or failed:
        errors = [scenario.error for scenario in scenarios if scenario.error]
        told = [*errors, *(_told(row) for row in against)]
        return Line(theme, "failed" if failed else "undecided", "; ".join(told[: _MOST_FIGURES + 1]))
    # The figures with a goal come first, and those that vary before those that are always the same.
    chief = sorted(rows, key=lambda row: (not row.criterion.goal, row.criterion.threshold.operator == "=="))
    return Line(theme, "met", "; ".join(_told(row) for row in chief[:_MOST_FIGURES]))


def _told(row: Result) -> str:
    criterion = row.criterion
    measured = figure(row.decision.value, criterion.unit)
    title = f"{criterion.title[:1].lower()}{criterion.title[1:]}"
    return f"{title}: {measured} (required: {must_be(criterion.threshold, criterion.unit)})"
