"""One run of the load suite under pytest: from options to scenarios to reports."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace import loadgen
from headrace.errors import ConfigError
from headrace.loadtest import criteria, needs, report
from headrace.loadtest.baseline import Baseline
from headrace.loadtest.progress import Progress
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.spoils import SPOILS
from headrace.loadtest.state import State
from headrace.loadtest.targets import Targets
from headrace.loadtest.verdict import ScenarioResult, SuiteResult

_NOISE_SECONDS = 0.2


class LoadSession:
    """What the scenarios of a run share.

    Raises:
        pytest.UsageError: an option cannot be used.
    """

    def __init__(self, config: pytest.Config) -> None:
        option = config.getoption
        self.suite: str = option("--suite") or "focused"
        self.only: list[str] = option("--headrace-scenario")
        self._report: str | None = option("--headrace-report")
        self._seconds: float | None = option("--headrace-time-limit")
        self._seed: int = option("--headrace-seed")
        self._keep_late: bool = option("--headrace-keep-late")
        total: float | None = option("--headrace-total-time")
        self._deadline = math.inf if total is None else time.monotonic() + total
        state: str | None = option("--headrace-state")
        spoil: str | None = option("--headrace-spoil")
        if spoil is not None and spoil not in SPOILS:
            raise pytest.UsageError(f"--headrace-spoil {spoil!r} is unknown: give one of {', '.join(SPOILS)}")
        if self.suite == "target" and not option("--headrace-target"):
            raise pytest.UsageError("the target suite tests a server of yours: give --target URL")
        try:
            self._criteria = criteria.load(option("--headrace-criteria") or self.suite)
            self.targets = Targets(
                url=option("--headrace-target"),
                model=option("--headrace-model"),
                pid=option("--headrace-target-pid"),
                spoil=spoil,
                seed=self._seed,
                live=option("--headrace-live"),
                budget=option("--headrace-budget"),
            )
            self._baseline = Baseline(option("--headrace-baseline"), option("--headrace-tolerance") / 100)
            self._state = State(Path(state) if state else None, self.suite, self.targets.description)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
        self._open: dict[str, Scenario] = {}
        # Scenarios that the run is to have, by name, with their titles; each leaves when its result is there.
        self._order: dict[str, str] = {}
        self._progress = Progress(config)
        self._started = time.monotonic()
        self.result = SuiteResult(
            self.suite, self.targets.description, started=datetime.now(timezone.utc).isoformat(timespec="seconds")
        )
        self._noise_before = loadgen.machine_noise(_NOISE_SECONDS)

    @property
    def has_run(self) -> bool:
        """Whether there is something to report."""
        return bool(self.result.scenarios or self.result.resumed)

    def criteria_of(self, mark: pytest.Mark) -> list[criteria.Criterion]:
        """What must hold of a scenario: what its mark says, or what is listed for its name; and beside the baseline."""
        name, own = mark.args[0], mark.kwargs.get("criteria") or {}
        listed = [criteria.from_fields(name, metric, fields) for metric, fields in own.items()]
        listed = listed or [c for c in self._criteria if c.scenario == name]
        return [*listed, *self._baseline.compared(listed)]

    def is_done(self, mark: pytest.Mark) -> bool:
        """Whether an earlier run, which this one resumes, has shown a scenario to be ready; its result is taken over."""
        name = mark.args[0]
        if name in self.result.resumed:
            return True
        kept = self._state.ready(name, self.criteria_of(mark))
        self._order[name] = _title(mark)
        if kept is None:
            return False
        self.result.resumed.append(name)
        self.result.scenarios.append(kept)
        return True

    def expect(self, marks: Iterable[pytest.Mark]) -> None:
        """Learn which scenarios are to run: what of these has no result at the end was not run.

        Raises:
            pytest.UsageError: the baseline has nothing to compare with.
        """
        marks = list(marks)
        wanted = {mark.args[0] for mark in marks} | set(self.result.resumed)
        figures = [figure for mark in marks for figure in self.criteria_of(mark)]
        if self._baseline.path and marks and not any(self._baseline.of(figure) for figure in figures):
            raise pytest.UsageError(
                f"baseline {self._baseline.path} has no figure of {', '.join(sorted(wanted))}: give a report.json of the "
                "same scenarios"
            )
        self._order = {name: title for name, title in self._order.items() if name in wanted}

    def needs(self, marks: Iterable[pytest.Mark]) -> list[str]:
        """What scenarios of the user's own need at least, a line each; those that come along are known to have it."""
        own = [mark for mark in marks if mark.kwargs.get("criteria")]
        return [line for mark in own if (line := needs.told(mark.args[0], self.criteria_of(mark)))]

    def time_is_up(self) -> bool:
        """Whether the whole run has had its time."""
        return time.monotonic() >= self._deadline

    def open(self, item: pytest.Item, mark: pytest.Mark) -> Scenario:
        """Make the scenario of a test."""
        self.targets.begin()
        name = mark.args[0]
        left = max(0.0, self._deadline - time.monotonic())
        made = Scenario(
            name,
            _title(mark),
            self.criteria_of(mark),
            seconds=min(left, self._seconds or mark.kwargs.get("seconds", 10.0)),
            seed=self._seed,
            config=self.targets,
            baseline=self._baseline,
            keep_late=self._keep_late,
            tell=lambda where: self._progress.show(f"  {_title(mark)}: {where}"),
        )
        self._open[item.nodeid] = made
        self._progress.show(f"  {made.title} ...")
        return made

    def drop(self, item: pytest.Item) -> None:
        """Forget a test's scenario, which was skipped: nothing is said of it."""
        made = self._open.pop(item.nodeid, None)
        if made is not None:
            self._order.pop(made.name, None)
            self.targets.end()

    def interrupt(self, item: pytest.Item) -> None:
        """Forget the samples of a test's scenario, which did not come to its end: the report says so."""
        if self._open.pop(item.nodeid, None) is not None:
            self.targets.end()

    def close(self, item: pytest.Item, error: str) -> list[str]:
        """Take the result of a test's scenario; what keeps it from being ready."""
        made = self._open.pop(item.nodeid, None)
        if made is None:
            return []
        if error and "the target went away" not in error:
            # What stumbled over an answer that did not come says little; that the server is gone says all.
            try:
                self.targets.must_be_there()
            except ConfigError as gone:
                error = str(gone)
        result = made.result(error.removeprefix("ConfigError: "))
        result.target_process, remarks = self.targets.end()
        result.notes += remarks
        self.result.scenarios.append(result)
        self._state.keep(result, made.criteria)
        sign = "✗" if error or result.problems else "✓"
        self._progress.end(
            f"{sign} {made.title}: {result.rounds} round{'s' * (result.rounds != 1)} in {result.seconds:.1f} s"
        )
        return [] if error else result.problems

    def finish(self, write_line: Callable[..., object]) -> None:
        """Print the verdict and write the reports."""
        self.targets.close()
        self._complete()
        self.result.seconds = time.monotonic() - self._started
        self.result.environment = _environment(self._noise_before, loadgen.machine_noise(_NOISE_SECONDS))
        report.terminal(self.result, write_line)
        if self._report:
            for path in report.write(self.result, Path(self._report)):
                write_line(f"  {path}")

    def _complete(self) -> None:
        """Every scenario that was to run stands in the report, in the order of the suite."""
        through = {scenario.name for scenario in self.result.scenarios}
        why = "not run: the time of the whole run was up" if self.time_is_up() else "not run: it was interrupted"
        missing = [name for name in self._order if name not in through]
        self.result.scenarios += [ScenarioResult(name, self._order[name], error=why) for name in missing]
        places = {name: place for place, name in enumerate(self._order)}
        self.result.scenarios.sort(key=lambda scenario: places.get(scenario.name, len(places)))


def _title(mark: pytest.Mark) -> str:
    return mark.kwargs.get("title") or str(mark.args[0]).replace("_", " ")


def _environment(before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    return {
        "headrace": headrace.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "noise_before": before,
        "noise_after": after,
    }


__all__ = ["LoadSession", "ScenarioResult"]
