"""Texts, or dicts of values, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from headrace.errors import ConfigError
from headrace.frame.form import Column, Form
from headrace.frame.outcome import Outcome, as_response

__all__ = ["TextSource"]


class TextSource:
    """A list or an iterator; an iterator is read as it goes. A list of responses comes back.

    Args:
        texts: texts, or dicts with the template's columns.

    >>> source = TextSource(["a", "b"])
    >>> [dict(row) for row in source.rows(["text"])]
    [{'text': 'a'}, {'text': 'b'}]
    """

    columns = None

    def __init__(self, texts: Iterable[Any]) -> None:
        self.count = len(texts) if isinstance(texts, Sized) else None
        self._rest = iter(texts)
        # An iterator can be read once only, and the rows are walked twice.
        self._read: list[Any] = []

    def rows(self, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The values of the template's columns; the one column of a text may have any name.

        Args:
            names: the columns.

        Raises:
            ConfigError: a text stands where the template has several columns, or a dict lacks one.
        """
        yield from (self._row(value, names, place) for place, value in enumerate(self._read))
        for value in self._rest:
            self._read.append(value)
            yield self._row(value, names, len(self._read) - 1)

    def _row(self, value: Any, names: Sequence[str], place: int) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            if lacking := [name for name in names if name not in value]:
                raise ConfigError(f"row {place} lacks {lacking[0]!r}, which the template names: it has {list(value)}")
            return {name: value[name] for name in names}
        if len(names) > 1:
            raise ConfigError(
                f"the template names {', '.join(names)}, and row {place} is of type {type(value).__name__}: "
                "give dicts with these keys, or a template with one pair of braces"
            )
        return {names[0]: value}

    def give(self, columns: Sequence[Column], outcomes: Iterator[Outcome], form: Form) -> list[Any]:
        """The responses, in order; where there is none, the exception.

        Args:
            columns: not used: a response has all of it.
            outcomes: what became of the rows.
            form: the form of the answers.
        """
        del columns
        return [as_response(outcome, form) for outcome in outcomes]
