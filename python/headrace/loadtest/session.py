"""One run of the load suite under pytest: from options to scenarios to reports."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace import loadgen
from headrace.errors import ConfigError
from headrace.loadtest import criteria, report
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.targets import SPOILS, Targets
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
        self._state = Path(option("--headrace-state")) if option("--headrace-state") else None
        spoil: str | None = option("--headrace-spoil")
        if spoil is not None and spoil not in SPOILS:
            raise pytest.UsageError(f"--headrace-spoil {spoil!r} is unknown: give one of {', '.join(SPOILS)}")
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
            self._baseline = _baseline(option("--headrace-baseline"))
            self._done: dict[str, Any] = _state(self._state)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
        self._open: dict[str, Scenario] = {}
        self._live = bool(sys.stderr.isatty() and not os.environ.get("CI"))
        self._started = time.monotonic()
        self.result = SuiteResult(
            self.suite, self.targets.description, started=datetime.now(timezone.utc).isoformat(timespec="seconds")
        )
        self._noise_before = loadgen.machine_noise(_NOISE_SECONDS)

    @property
    def has_run(self) -> bool:
        """Whether there is something to report."""
        return bool(self.result.scenarios or self.result.resumed)

    def is_done(self, name: str) -> bool:
        """Whether an earlier run, which this one resumes, was through with a scenario."""
        if self._done.get(self.suite, {}).get(name) != "ready":
            return False
        if name not in self.result.resumed:
            self.result.resumed.append(name)
        return True

    def open(self, item: pytest.Item, mark: pytest.Mark) -> Scenario:
        """Make the scenario of a test."""
        self.targets.begin()
        name = mark.args[0]
        own = mark.kwargs.get("criteria") or {}
        listed = [c for c in self._criteria if c.scenario == name]
        chosen = [criteria.from_fields(name, metric, fields) for metric, fields in own.items()] or listed
        made = Scenario(
            name,
            mark.kwargs.get("title") or name.replace("_", " "),
            chosen,
            seconds=self._seconds or mark.kwargs.get("seconds", 10.0),
            seed=self._seed,
            config=self.targets,
            baseline=self._baseline,
        )
        self._open[item.nodeid] = made
        if self._live:
            sys.stderr.write(f"\r\x1b[K{made.title} ...")
            sys.stderr.flush()
        return made

    def drop(self, item: pytest.Item) -> None:
        """Forget a test's scenario, which was skipped: nothing is said of it."""
        self._open.pop(item.nodeid, None)

    def close(self, item: pytest.Item, error: str) -> list[str]:
        """Take the result of a test's scenario; what keeps it from being ready."""
        made = self._open.pop(item.nodeid, None)
        if made is None:
            return []
        result = made.result(error)
        result.target_process, remarks = self.targets.end()
        result.notes += remarks
        self.result.scenarios.append(result)
        if self._state:
            self._done.setdefault(self.suite, {})[result.name] = "not ready" if result.problems else "ready"
            self._state.write_text(json.dumps(self._done, indent=1))
        if self._live:
            sys.stderr.write("\r\x1b[K")
        return [] if error else result.problems

    def finish(self, write_line: Callable[..., object]) -> None:
        """Print the verdict and write the reports."""
        self.targets.close()
        self.result.seconds = time.monotonic() - self._started
        self.result.environment = _environment(self._noise_before, loadgen.machine_noise(_NOISE_SECONDS))
        report.terminal(self.result, write_line)
        if self._report:
            for path in report.write(self.result, Path(self._report)):
                write_line(f"  {path}")


def _environment(before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    return {
        "headrace": headrace.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "noise_before": before,
        "noise_after": after,
    }


def _state(path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(scenarios, dict) for scenarios in kept.values()):
            raise ValueError("it has no scenarios by suite")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be resumed: {error}; give the file of an earlier run, or a new one") from None
    return dict(kept)


def _baseline(path: str | None) -> dict[str, float]:
    if path is None:
        return {}
    try:
        earlier = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = [row for scenario in earlier["scenarios"] for row in scenario["results"]]
        return {f"{r['scenario']}.{r['metric']}: {r['threshold']}": r["value"] for r in rows if r["value"] is not None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"baseline {path} cannot be read: {error}; give a report.json of an earlier run") from None


__all__ = ["LoadSession", "ScenarioResult"]
