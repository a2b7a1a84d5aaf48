"""Values as a column of one type takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from headrace._extras import need
from headrace.frame.form import Column

__all__ = ["arrow", "arrow_array", "arrow_type", "as_json_text"]


def arrow() -> Any:
    """The module pyarrow.

    Raises:
        ConfigError: it is not installed.
    """
    return need("pyarrow", "dataframe", "a Parquet file or a table of Arrow")


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column; what is nested or mixed is JSON text.

    Args:
        column: the column.
    """
    pyarrow = arrow()
    types = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
        "money": pyarrow.decimal128(38, 18),
    }
    return types.get(column.kind, pyarrow.string())


def arrow_array(column: Column, values: Sequence[Any]) -> Any:
    """The values as an Arrow array of the column's type.

    Args:
        column: the column.
        values: its values.
    """
    given: list[Any] = list(as_json_text(values)) if column.kind == "any" else list(values)
    if column.kind == "number":
        given = [None if value is None else float(value) for value in given]
    return arrow().array(given, type=arrow_type(column))


def as_json_text(values: Iterable[Any]) -> list[str | None]:
    """Each value as JSON, None as None.

    Args:
        values: what JSON has.

    >>> as_json_text([["E1", "E2"], None])
    ['["E1", "E2"]', None]
    """
    return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
