"""A frame of pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome, as_facts

__all__ = ["PandasSource"]

# pandas' own types that can lack a value; the rest is inferred, and money stays `Decimal`.
_TYPES = {"integer": "Int64", "number": "float64", "boolean": "boolean"}


class PandasSource:
    """A `pandas.DataFrame`; a new one comes back, with the same index.

    Args:
        frame: the frame.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.columns = [str(name) for name in frame.columns]
        self.count = len(frame)

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of some columns, row by row.

        Args:
            names: the columns.
        """
        series = [self._frame.iloc[:, self.columns.index(name)] for name in names]
        return (dict(zip(names, values, strict=True)) for values in zip(*series, strict=True))

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> Any:
        """The frame with the answers behind its columns.

        Args:
            columns: the columns of the answers.
            outcomes: what became of the rows.
            form: the form of the answers.
        """
        pandas = import_module("pandas")
        rows = [as_facts(outcome, form) for outcome in outcomes]
        added = {}
        for place, column in enumerate(columns):
            values = [row[place] for row in rows]
            kind = _TYPES.get(column.kind)
            if column.kind in ("integer", "boolean") and None not in values:
                kind = {"integer": "int64", "boolean": "bool"}[column.kind]
            if column.kind in ("any", "money"):
                kind = "object"
            added[column.name] = pandas.Series(values, index=self._frame.index, dtype=kind, name=column.name)
        return pandas.concat([self._frame, *added.values()], axis=1)
