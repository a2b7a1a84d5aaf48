"""A table of Arrow, or what gives one by the Arrow C stream interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome, as_facts
from headrace.frame.source.cells import arrow, arrow_array

__all__ = ["ArrowSource"]

_BATCH = 1024


class ArrowSource:
    """A `pyarrow.Table` or `RecordBatch`, or any other library's frame with `__arrow_c_stream__`.

    A batch comes back as a batch, all else as a table.

    Args:
        frame: the table.
    """

    def __init__(self, frame: Any) -> None:
        pyarrow = arrow()
        self._is_batch = isinstance(frame, pyarrow.RecordBatch)
        is_table = isinstance(frame, pyarrow.Table)
        self._table = frame if is_table else pyarrow.table(frame)
        self.columns = list(self._table.column_names)
        self.count = self._table.num_rows

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of some columns, row by row.

        Args:
            names: the columns.
        """
        for batch in self._table.select(list(names)).to_batches(max_chunksize=_BATCH):
            yield from batch.to_pylist()

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> Any:
        """The table with the answers behind its columns; what is nested stands as JSON text.

        Args:
            columns: the columns of the answers.
            outcomes: what became of the rows.
            form: the form of the answers.
        """
        table = self._table
        rows = [as_facts(outcome, form) for outcome in outcomes]
        for place, column in enumerate(columns):
            table = table.append_column(column.name, arrow_array(column, [row[place] for row in rows]))
        if self._is_batch:
            return table.combine_chunks().to_batches()[0]
        return table
