"""One version against another, in runs taken in alternating order: what has become worse, beyond noise.

A machine gets slower and faster by the minute, so all runs of one version and then all of the other compare the minutes.
Here the order is old, new, new, old, and so on; each pair gives a ratio, and the ratios an interval. A figure has become
worse where the estimate and the near end of its interval both exceed the tolerance. So many figures are looked at that one
of them would seem worse by chance: they share the 5 % of doubt.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace import loadgen
from headrace.loadtest.expression import parse
from headrace.loadtest.verdict import COULD_NOT_RUN, NOT_READY, READY, figure

_DOUBT = 0.05
Figures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Change:
    """How a figure has changed.

    Args:
        name: the criterion's.
        title: for people.
        unit: of the figures.
        old: its median before.
        new: its median now.
        change: the estimate, as a share: 0.1 is 10 % more.
        low: the lower end of its interval.
        high: the upper end.
        outcome: `worse`, `no worse` than the tolerance allows, or `undecided`.
    """

    name: str
    title: str
    unit: str
    old: float
    new: float
    change: float
    low: float
    high: float
    outcome: str


def order(pairs: int) -> Iterator[str]:
    """Which side runs when.

    >>> list(order(3))
    ['old', 'new', 'new', 'old', 'old', 'new']
    """
    for pair in range(pairs):
        yield from ("old", "new") if pair % 2 == 0 else ("new", "old")


def changes(old: Sequence[Figures], new: Sequence[Figures], tolerance: float) -> list[Change]:
    """Each figure that both sides have in every run, the worst change first.

    Args:
        old: the results of each run, by the criterion's name, as the JSON report has them.
        new: likewise, in the same order of pairs.
        tolerance: by how much a figure may become worse, as a share.
    """
    runs = [*old, *new]
    shared = [name for name in runs[0] if all(_can_be_compared(run.get(name)) for run in runs)]
    made = [_change(name, old, new, tolerance, _DOUBT / len(shared)) for name in shared]
    return sorted(made, key=lambda one: ("worse", "undecided", "no worse").index(one.outcome))


def _can_be_compared(row: Mapping[str, Any] | None) -> bool:
    # What must hold every time either does or does not: that is the verdict's business, not a matter of degree.
    return row is not None and bool(row["value"]) and row["value"] > 0 and "==" not in row["threshold"]


def _change(name: str, old: Sequence[Figures], new: Sequence[Figures], tolerance: float, doubt: float) -> Change:
    before, now = (np.array([run[name]["value"] for run in side]) for side in (old, new))
    ratios = np.log(now / before)
    centre, error = float(ratios.mean()), math.inf
    if len(ratios) > 1:
        error = float(ratios.std(ddof=1)) / math.sqrt(len(ratios)) * loadgen.t_quantile(1 - doubt, len(ratios) - 1)
    ends = (centre - error, centre, centre + error)
    low, change, high = (math.expm1(end) if end < 50 else math.inf for end in ends)
    # As it gets worse: up for what must stay below a bound, down for what must stay above one.
    sign = 1 if parse(new[0][name]["threshold"]).is_upper else -1
    worse, near, far = (change, low, high) if sign > 0 else (-change, -high, -low)
    shown = "no worse" if far <= tolerance else "undecided"
    outcome = "worse" if min(worse, near) > tolerance else shown
    row = new[0][name]
    return Change(
        name, row["title"], row["unit"], float(np.median(before)), float(np.median(now)), change, low, high, outcome
    )


def compare(suite: str, arguments: Sequence[str], other: str, pairs: int, tolerance: float, report: str | None) -> int:
    """Run both sides in turns, print what has changed, and give the exit code: 99 where something is worse.

    Args:
        suite: focused or comprehensive.
        arguments: of `headrace loadtest`, for both sides.
        other: the old side: a Python with another headrace installed, or the URL of a server.
        pairs: how many runs of each.
        tolerance: by how much a figure may become worse, as a share.
        report: a folder for `against.json`.
    """
    results: dict[str, list[Figures]] = {"old": [], "new": []}
    for side in order(pairs):
        told = _run(suite, arguments, other if side == "old" else None)
        if told is None:
            print(f"headrace: the {side} side could not run", file=sys.stderr)
            return COULD_NOT_RUN
        rows = [row for scenario in told["scenarios"] for row in scenario["results"]]
        results[side].append({f"{r['scenario']}.{r['metric']}: {r['threshold']}": r for r in rows})
        print(f"{side}: {'ready' if told['ready'] else 'not ready'} in {told['seconds']:.0f} s", flush=True)
    found = changes(results["old"], results["new"], tolerance)
    for one in found:
        print(
            f"{one.outcome:10}{one.name}: {figure(one.old, one.unit)} before, {figure(one.new, one.unit)} now, "
            f"{one.change:+.1%} ({one.low:+.1%} to {one.high:+.1%})"
        )
    worse = sum(one.outcome == "worse" for one in found)
    print(f"{worse} of {len(found)} figures worse by more than {tolerance:.0%}, in {pairs} pairs of runs")
    if report is not None:
        Path(report).mkdir(parents=True, exist_ok=True)
        rows = [
            {k: v if v == v and v not in (math.inf, -math.inf) else None for k, v in asdict(c).items()} for c in found
        ]
        (Path(report) / "against.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return NOT_READY if worse else READY


def _run(suite: str, arguments: Sequence[str], other: str | None) -> dict[str, Any] | None:
    python, more, environment = sys.executable, [], dict(os.environ)
    if other is not None and "://" in other:
        more = ["--target", other]
    elif other is not None:
        python = other
        # Where this version is found must not hide the other one.
        environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "headrace", "loadtest", suite, *arguments, *more, "--report", folder]
        try:
            subprocess.run(command, check=False, capture_output=True, env=environment)
            told: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
    return told
