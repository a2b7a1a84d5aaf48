"""Where rows come from and go back to: a frame of pandas, polars or Arrow, texts, or a file.

None of the libraries is imported before a frame of its kind is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from headrace.errors import ConfigError
from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome

__all__ = ["Source", "is_missing", "source_of"]


class Source(Protocol):
    """Rows that can be walked twice: once to ask, once to give back."""

    @property
    def columns(self) -> list[str] | None:
        """The columns; None where a row is a text, or each row has its own."""

    @property
    def count(self) -> int | None:
        """How many rows there are, where that is known before they are read."""

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of some columns, row by row, in order."""

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> Any:
        """The same kind again, with columns behind its own."""


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN, pandas' NA and NaT.

    >>> is_missing(None), is_missing(float("nan")), is_missing(""), is_missing(0)
    (True, True, False, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def source_of(frame: Any, *, output: str | os.PathLike[str] | None = None) -> Source:
    """The source of what was given.

    Args:
        frame: a frame of pandas, polars or pyarrow, or of any library with the Arrow C stream interface; an iterable of
            texts or of dicts; or the path of a CSV or Parquet file.
        output: where the answers of a file go.

    Raises:
        ConfigError: it is something else.
    """
    if isinstance(frame, (str, os.PathLike)):
        from headrace.frame.source.file import FileSource

        return FileSource(frame, output)
    if output is not None:
        raise ConfigError("output is for a file: what is given as a frame or a list comes back as one")
    if maker := _maker_of(frame):
        return maker(frame)
    if isinstance(frame, Iterable) and not isinstance(frame, (bytes, Mapping)):
        from headrace.frame.source.texts import TextSource

        return TextSource(frame)
    raise ConfigError(
        f"frame is of type {type(frame).__name__}: give a frame of pandas, polars or pyarrow, a list of texts, or the "
        "path of a CSV or Parquet file"
    )


def _maker_of(frame: Any) -> Callable[[Any], Source] | None:
    library, name = type(frame).__module__.partition(".")[0], type(frame).__name__
    if library == "pandas" and name == "DataFrame":
        from headrace.frame.source.of_pandas import PandasSource

        return PandasSource
    if library == "polars" and name in ("DataFrame", "LazyFrame"):
        from headrace.frame.source.of_polars import PolarsSource

        return PolarsSource
    if name != "Series" and hasattr(frame, "__arrow_c_stream__"):
        from headrace.frame.source.of_arrow import ArrowSource

        return ArrowSource
    return None
