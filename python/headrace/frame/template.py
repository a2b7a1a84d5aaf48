"""The text that each row is asked by: `"Classify this disclosure: {text}"`, filled from a row's columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from headrace.errors import ConfigError

__all__ = ["Prompt", "Template"]

Prompt: TypeAlias = "str | list[dict[str, Any]]"

# A text, or a message of a conversation with its texts cut into pieces.
_Pieces: TypeAlias = "list[tuple[str, str | None, str, str | None]]"


class Template:
    """A text or a conversation with columns in braces; `{{` and `}}` are braces.

    Args:
        given: the text, or a list of role/content dicts whose contents are such texts.

    Raises:
        ConfigError: it is neither, a brace is open, or no column is named.

    >>> template = Template("Is {company} in scope of CSRD? It has {staff:,} employees.")
    >>> template.columns, template.fill({"company": "Acme", "staff": 1200})
    (['company', 'staff'], 'Is Acme in scope of CSRD? It has 1,200 employees.')
    """

    def __init__(self, given: str | Sequence[Mapping[str, Any]]) -> None:
        self._text: _Pieces | None = None
        self._messages: list[tuple[dict[str, Any], _Pieces]] = []
        if isinstance(given, str):
            self._text = _pieces(given)
        elif isinstance(given, Sequence) and given and all(isinstance(one, Mapping) for one in given):
            messages: Any = given
            for message in messages:
                content = message.get("content")
                self._messages.append((dict(message), _pieces(content) if isinstance(content, str) else []))
        else:
            raise ConfigError(
                f"template is of type {type(given).__name__}: give a text with columns in braces, as "
                '"Classify this disclosure: {text}", or a list of role/content dicts with such texts'
            )
        self.given = given if isinstance(given, str) else json.dumps(list(given), default=str)
        every = [self._text] if self._text is not None else [pieces for _, pieces in self._messages]
        names = [name for pieces in every for _, name, _, _ in pieces if name is not None]
        self.columns = list(dict.fromkeys(names))
        if not self.columns:
            raise ConfigError(
                f"template {self.given[:80]!r} names no column, so every row would be the same question: "
                'put one in braces, as "Classify this disclosure: {text}"'
            )

    def fill(self, row: Mapping[str, Any]) -> Prompt:
        """The question of a row.

        Args:
            row: the values by column.

        Raises:
            ValueError: a value does not fit the format that the template gives it.
        """
        if self._text is not None:
            return _filled(self._text, row)
        return [
            {**message, "content": _filled(pieces, row)} if pieces else message for message, pieces in self._messages
        ]


# A doubled brace, a column with an optional conversion and format, or a brace that stands alone.
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*?)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]")


def _pieces(text: str) -> _Pieces:
    """The words before each column, and the column.

    What stands in the braces is the column's whole name, dots and brackets too: nothing is looked up inside a value.
    """
    pieces: _Pieces = []
    words, end = "", 0
    for found in _BRACES.finditer(text):
        words, end = words + text[end : found.start()], found.end()
        if found[1] is not None:
            pieces.append((words, found[1], found[3] or "", found[2]))
            words = ""
        elif len(found[0]) == 2:
            words += found[0][0]
        else:
            raise ConfigError(
                f"template {text[:80]!r} has a single {found[0]} at {found.start()}: write {{{{ and }}}} for braces "
                "that stay"
            )
    return [*pieces, (words + text[end:], None, "", None)]


_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}


def _filled(pieces: _Pieces, row: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for words, name, form, how in pieces:
        parts.append(words)
        if name is not None:
            value = row[name]
            parts.append(format(_CONVERSIONS[how](value) if how else value, form))
    return "".join(parts)
