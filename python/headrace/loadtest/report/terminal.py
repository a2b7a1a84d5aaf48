"""The verdict on the terminal: first what it is, then why."""

from __future__ import annotations

import math
from collections.abc import Callable

from headrace.loadtest.verdict import Result, SuiteResult, figure

_SIGNS = {"met": "✓", "failed": "✗", "undecided": "?"}
_COLUMNS = ("", "criterion", "measured", "90 % interval (each bound 95 %)", "must be", "goal", "reference")
# Shown only where a criterion has one.
_BESIDE = ("goal", "reference")


def columns(result: SuiteResult) -> list[str]:
    """The heads of the table: a goal and a reference only where a criterion has them."""
    has = {name for name in _BESIDE if any(getattr(row.criterion, name) for row in result.results)}
    return [name for name in _COLUMNS if name not in _BESIDE or name in has]


def rows(result: SuiteResult) -> list[tuple[str, ...]]:
    """The table: a row a criterion."""
    kept = [_COLUMNS.index(name) for name in columns(result)]
    whole = [(_SIGNS[row.decision.outcome], *_cells(row)) for row in result.results]
    return [tuple(row[place] for place in kept) for row in whole]


def _cells(result: Result) -> tuple[str, ...]:
    criterion, decision = result.criterion, result.decision
    interval = ""
    rest = (criterion.threshold.text, criterion.goal, criterion.reference)
    # What must hold every time is judged as it was observed: an interval would say nothing of it.
    if decision.samples and decision.low != decision.high and criterion.threshold.operator != "==":
        if math.isinf(decision.low) and math.isinf(decision.high):
            return (criterion.title, figure(decision.value, criterion.unit), "too few samples", *rest)
        interval = f"{figure(decision.low, '')} to {figure(decision.high, criterion.unit)}"
        if criterion.unit == "%":
            interval = f"{figure(decision.low, '%')} to {figure(decision.high, '%')}"
    return (criterion.title, figure(decision.value, criterion.unit), interval, *rest)


def terminal(result: SuiteResult, write_line: Callable[..., object]) -> None:
    """Print the verdict, what speaks against it, and the table."""
    write_line("")
    if result.ready:
        write_line("READY for production: every criterion that must hold was shown to hold.", green=True, bold=True)
    else:
        write_line("NOT READY for production:", red=True, bold=True)
        for problem in result.problems:
            write_line(f"  - {problem}", red=True)
    for scenario in result.scenarios:
        if scenario.void:
            write_line(f"  {len(scenario.void)} void rounds of {scenario.name}: {scenario.void[0]}", yellow=True)
    table = [tuple(columns(result)), *rows(result)]
    widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
    write_line("")
    for row in table:
        write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for scenario in result.scenarios:
        for remark in scenario.remarks:
            write_line(f"  {remark}", yellow=True)
    if result.resumed:
        write_line(f"  shown by an earlier run: {', '.join(result.resumed)}")
    noise = result.environment.get("noise_after", {}).get("lost_share", 0.0)
    write_line("")
    write_line(
        f"{result.suite} suite against {result.target}: {len(result.scenarios)} scenarios in {result.seconds:.1f} s; "
        f"machine noise {noise:.0%}"
    )
