"""A CSV or Parquet file: read and written a piece at a time, so that its size does not matter."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome, as_facts
from headrace.frame.source.cells import arrow, arrow_array, arrow_type, as_json_text

__all__ = ["FileSource"]

_PIECE = 1024
_SUFFIXES = (".csv", ".parquet")


class FileSource:
    """A file of rows; what comes back is the path of the file with the answers.

    Args:
        path: a CSV file with a line of names at its top, or a Parquet file.
        output: the file to write, CSV or Parquet; None is the same name with `.answers` before the suffix.

    Raises:
        ConfigError: there is no such file, it is of another kind, or the output is the input.
    """

    def __init__(self, path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path)
        self.output = Path(output) if output else self._path.with_name(f"{self._path.stem}.answers{self._path.suffix}")
        for file in (self._path, self.output):
            if file.suffix.lower() not in _SUFFIXES:
                raise ConfigError(f"{file} is neither .csv nor .parquet: give one of these")
        if not self._path.is_file():
            raise ConfigError(f"there is no file {self._path}: give the path of a CSV or Parquet file")
        if self.output.resolve() == self._path.resolve():
            raise ConfigError(f"the answers would replace {self._path}: give another file as output")
        self._is_csv = self._path.suffix.lower() == ".csv"
        if self._is_csv:
            with closing(self._csv()) as rows:
                self.columns = next(rows, [])
            self.count = None
        else:
            with self._parquet() as parquet:
                self.columns, self.count = parquet.schema_arrow.names, parquet.metadata.num_rows

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of some columns, row by row; an empty cell of a CSV file has no value.

        Args:
            names: the columns.
        """
        if not self._is_csv:
            with self._parquet() as parquet:
                for batch in parquet.iter_batches(batch_size=_PIECE, columns=list(names)):
                    yield from batch.to_pylist()
            return
        places = [self.columns.index(name) for name in names]
        with closing(self._csv()) as rows:
            for row in islice(rows, 1, None):
                yield {name: row[place] or None for name, place in zip(names, places, strict=True)}

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> Path:
        """Write the file with the answers; it appears as a whole. Its path.

        Args:
            columns: the columns of the answers.
            outcomes: what became of the rows.
            form: the form of the answers.
        """
        part = self.output.with_name(f".{self.output.name}.{os.getpid()}.part")
        write = self._write_csv if self.output.suffix.lower() == ".csv" else self._write_parquet
        try:
            write(part, columns, (as_facts(outcome, form) for outcome in outcomes))
            part.replace(self.output)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        return self.output

    def _csv(self) -> Generator[list[str], None, None]:
        """The lines, the names first; each has as many cells as there are names."""
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            width = None
            for row in csv.reader(file):
                if not row:
                    continue
                width = len(row) if width is None else width
                if len(row) != width:
                    raise ConfigError(
                        f"{self._path}: a row has {len(row)} cells where the first line names {width} columns "
                        f"(it begins with {row[0][:40]!r}): mend the row"
                    )
                yield row

    def _parquet(self) -> Any:
        arrow()
        return import_module("pyarrow.parquet").ParquetFile(self._path)

    def _write_csv(self, part: Path, columns: Sequence[Column], facts: Iterator[list[Any]]) -> None:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*self.columns, *(column.name for column in columns)])
            for row in self._lines():
                cells = next(facts)
                texts = (
                    as_json_text([cell])[0] if column.kind == "any" else cell
                    for column, cell in zip(columns, cells, strict=True)
                )
                writer.writerow([*row, *texts])

    def _lines(self) -> Iterator[list[Any]]:
        if self._is_csv:
            with closing(self._csv()) as rows:
                yield from islice(rows, 1, None)
            return
        with self._parquet() as parquet:
            for batch in parquet.iter_batches(batch_size=_PIECE):
                yield from (list(row.values()) for row in batch.to_pylist())

    def _write_parquet(self, part: Path, columns: Sequence[Column], facts: Iterator[list[Any]]) -> None:
        pyarrow, parquet = arrow(), import_module("pyarrow.parquet")
        schema, pieces = self._pieces(pyarrow)
        for column in columns:
            schema = schema.append(pyarrow.field(column.name, arrow_type(column)))
        with parquet.ParquetWriter(part, schema) as writer:
            for piece in pieces():
                rows = list(islice(facts, piece.num_rows))
                added = [arrow_array(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
                writer.write_table(pyarrow.Table.from_arrays([*piece.columns, *added], schema=schema))

    def _pieces(self, pyarrow: Any) -> tuple[Any, Callable[[], Iterator[Any]]]:
        """The file's own columns as Arrow has them, and its rows in pieces."""
        if not self._is_csv:
            with self._parquet() as parquet:
                schema = parquet.schema_arrow.remove_metadata()

            def of_parquet() -> Iterator[Any]:
                with self._parquet() as parquet:
                    for batch in parquet.iter_batches(batch_size=_PIECE):
                        yield pyarrow.Table.from_batches([batch])

            return schema, of_parquet
        schema = pyarrow.schema([(name, pyarrow.string()) for name in self.columns])

        def of_csv() -> Iterator[Any]:
            lines = self._lines()
            while rows := list(islice(lines, _PIECE)):
                yield pyarrow.Table.from_arrays(
                    [pyarrow.array(cells, type=pyarrow.string()) for cells in zip(*rows, strict=True)], schema=schema
                )

        return schema, of_csv
