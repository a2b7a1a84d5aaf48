"""A frame of polars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome, as_facts
from headrace.frame.source.cells import as_json_text

__all__ = ["PolarsSource"]


class PolarsSource:
    """A `polars.DataFrame` or `LazyFrame` (which is collected); the same comes back.

    Args:
        frame: the frame.
    """

    def __init__(self, frame: Any) -> None:
        self._is_lazy = type(frame).__name__ == "LazyFrame"
        self._frame = frame.collect() if self._is_lazy else frame
        self.columns = list(self._frame.columns)
        self.count = self._frame.height

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of some columns, row by row.

        Args:
            names: the columns.
        """
        rows = self._frame.select(list(names)).iter_rows(named=True)
        return (dict(row) for row in rows)

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> Any:
        """The frame with the answers behind its columns; what is nested and mixed stands as JSON text.

        Args:
            columns: the columns of the answers.
            outcomes: what became of the rows.
            form: the form of the answers.
        """
        polars = import_module("polars")
        types = {
            "text": polars.String,
            "integer": polars.Int64,
            "number": polars.Float64,
            "boolean": polars.Boolean,
            "money": polars.Decimal(38, 18),
        }
        rows = [as_facts(outcome, form) for outcome in outcomes]
        added = []
        for place, column in enumerate(columns):
            values = [row[place] for row in rows]
            if column.kind in types:
                values = [float(value) if column.kind == "number" and value is not None else value for value in values]
                added.append(polars.Series(column.name, values, dtype=types[column.kind]))
                continue
            try:
                added.append(polars.Series(column.name, values, strict=True))
            except (TypeError, ValueError, polars.exceptions.PolarsError):
                added.append(polars.Series(column.name, as_json_text(values), dtype=polars.String))
        frame = self._frame.with_columns(added)
        return frame.lazy() if self._is_lazy else frame
