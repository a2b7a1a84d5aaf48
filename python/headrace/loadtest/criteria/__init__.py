"""Criteria are data: what must hold, in which tier, beside what is aimed at and a figure to compare with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from headrace.errors import ConfigError
from headrace.loadtest.expression import Threshold, parse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUITES = ("focused", "comprehensive", "target")
Tier = Literal["blocking", "warning", "informational"]
_FIELDS = ("pass", "warn", "tier", "title", "unit", "goal", "reference", "note")


@dataclass(frozen=True)
class Criterion:
    """One thing that must hold.

    Attributes:
        scenario: whose it is.
        metric: of which samples.
        threshold: what must hold.
        warning: a tighter bound whose breach is worth a word, not a failure.
        tier: whether a breach stops a release (blocking), is shown as a warning, or is only told.
        title: for people.
        unit: of the figure.
        goal: what is aimed at, where that is more or less than what must hold; shown beside it.
        reference: a figure to hold beside it, such as that of the system before; shown beside it.
        note: how the figure is defined, where that is not plain.
    """

    scenario: str
    metric: str
    threshold: Threshold
    warning: Threshold | None = None
    tier: Tier = "blocking"
    title: str = ""
    unit: str = ""
    goal: str = ""
    reference: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """`scenario.metric: threshold`, unique in a suite."""
        return f"{self.scenario}.{self.metric}: {self.threshold.text}"


def from_fields(scenario: str, metric: str, given: str | Mapping[str, Any]) -> Criterion:
    """A criterion from an expression, or from the fields of a TOML table.

    Raises:
        ConfigError: a field is unknown or cannot be read.
    """
    fields: dict[str, Any] = {"pass": given} if isinstance(given, str) else dict(given)
    for name in fields:
        if name not in _FIELDS:
            near = get_close_matches(name, _FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(_FIELDS)}"
            raise ConfigError(f"criterion {scenario}.{metric}: {name!r} is unknown: {hint}")
    if "pass" not in fields:
        raise ConfigError(f"criterion {scenario}.{metric} has no pass=: give a threshold such as 'p(95) < 20ms'")
    tier = fields.get("tier", "blocking")
    if tier not in get_args(Tier):
        raise ConfigError(f"criterion {scenario}.{metric}: tier {tier!r} is unknown: give {', '.join(get_args(Tier))}")
    warn = fields.get("warn")
    return Criterion(
        scenario,
        metric,
        parse(fields["pass"]),
        parse(warn) if warn else None,
        tier,
        fields.get("title", metric.replace("_", " ")),
        fields.get("unit", "ms" if metric.endswith("_ms") else ""),
        fields.get("goal", ""),
        fields.get("reference", ""),
        fields.get("note", ""),
    )


def from_toml(text: str, where: str = "criteria") -> list[Criterion]:
    """The criteria of a TOML text: a table `[[scenario.metric]]` for each.

    Raises:
        ConfigError: it is no TOML, or a criterion cannot be read.

    >>> [c.name for c in from_toml('[[queue.enqueue_ms]]\\npass = "avg < 20ms"')]
    ['queue.enqueue_ms: avg < 20ms']
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}") from None
    return [
        from_fields(scenario, metric, fields)
        for scenario, metrics in tables.items()
        for metric, rows in metrics.items()
        for fields in (rows if isinstance(rows, list) else [rows])
    ]


def load(suite_or_path: str) -> list[Criterion]:
    """The criteria of a built-in suite (focused, comprehensive, target), or of a file.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    built_in = resources.files(__name__) / f"{suite_or_path}.toml"
    if built_in.is_file():
        return from_toml(built_in.read_text(encoding="utf-8"), suite_or_path)
    path = Path(suite_or_path)
    if not path.is_file():
        raise ConfigError(f"{suite_or_path!r} is no file, and none of the suites {', '.join(SUITES)}")
    return from_toml(path.read_text(encoding="utf-8"), str(path))
