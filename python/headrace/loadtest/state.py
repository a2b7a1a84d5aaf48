"""What an earlier run was through with, kept in a file after each scenario, so that a killed run can be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.loadtest.criteria import Criterion
from headrace.loadtest.decide import Decision
from headrace.loadtest.verdict import Result, ScenarioResult

_VERSION = 3


class State:
    """The file of a run that can be resumed.

    Args:
        path: None keeps nothing.
        suite: whose scenarios.
        target: what was tested; the results of another one say nothing of this one.

    Raises:
        ConfigError: the file is not one of these, or is of another target.
    """

    def __init__(self, path: Path | None, suite: str, target: str) -> None:
        self._path, self._suite = path, suite
        self._kept: dict[str, Any] = {"version": _VERSION, "target": target, "suites": {}}
        if path is None or not path.exists():
            return
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["version"] != _VERSION or not isinstance(kept["suites"], dict):
                raise ValueError("it is of another version")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} cannot be resumed: {error}; give the file of an earlier run, or a new one"
            ) from None
        if kept["target"] != target:
            raise ConfigError(
                f"{path} is of a run against {kept['target']}, this one is against {target}: give a new file"
            )
        self._kept = kept

    def ready(self, name: str, criteria: Sequence[Criterion]) -> ScenarioResult | None:
        """The result of a scenario that was ready by these same criteria; None where it must be run."""
        kept = self._kept["suites"].get(self._suite, {}).get(name)
        if kept is None or kept["outcome"] != "ready":
            return None
        known = {criterion.name: criterion for criterion in criteria}
        rows = kept["results"]
        left_out = set(kept["left_out"])
        if {row["criterion"] for row in rows} | left_out != set(known):
            return None
        results = [Result(known[row["criterion"]], Decision(**row["decision"]), row["warned"]) for row in rows]
        return ScenarioResult(results=results, **kept["rest"])

    def keep(self, result: ScenarioResult, criteria: Sequence[Criterion]) -> None:
        """Write down what became of a scenario; a kill leaves the file as it was before, or as it is after."""
        if self._path is None:
            return
        rest = {name: value for name, value in vars(result).items() if name != "results"}
        rows = [
            {"criterion": row.criterion.name, "decision": asdict(row.decision), "warned": row.warned}
            for row in result.results
        ]
        judged = {row.criterion.name for row in result.results}
        self._kept["suites"].setdefault(self._suite, {})[result.name] = {
            "outcome": "not ready" if result.problems else "ready",
            "results": rows,
            "left_out": [criterion.name for criterion in criteria if criterion.name not in judged],
            "rest": rest,
        }
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        beside.write_text(json.dumps(self._kept, indent=1, default=float), encoding="utf-8")
        beside.replace(self._path)
