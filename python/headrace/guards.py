r"""Guards: what must be equal between two questions before one's answer serves the other.

A cache has them by default (``guards=True``). Make your own to look at a verdict, or to add what your field calls by
other names:

Example:
    >>> own = guards(
    ...     synonyms=[["TRIR", "recordable injury rate"]],
    ...     terms={"mill": ["Upper Mill", "Lower Mill"]},
    ...     patterns={"ticket": r"ESG-(\d+)"},
    ... )
    >>> own.compare("Water use of the Upper Mill in 2023?", "Water use of the Lower Mill in 2023?").reason
    'mill Upper Mill differs from Lower Mill'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headrace import embedders
from headrace._core.guard import Guards, Verdict
from headrace.errors import ConfigError

__all__ = ["Guards", "Verdict", "guards"]


def guards(
    embedder: Any = None,
    *,
    synonyms: Iterable[Sequence[str]] = (),
    terms: Mapping[str, Sequence[str]] | None = None,
    patterns: Mapping[str, str] | None = None,
    checks: Iterable[Callable[[str, str], str | None]] = (),
) -> Guards:
    """Make the standard guards, with what you add to them.

    Args:
        embedder: Whose word vectors tell a synonym from another thing. None: the static embedder's where it is
            installed; without any, only words of the guards' own lexicon have synonyms.
        synonyms: Groups of phrases that are one thing.
        terms: By the name of a slot: terms of which two questions must name the same.
        patterns: By the name of a slot: a regular expression, whose matches (first group, or all) must be the same.
        checks: Functions of the asked and the stored question that return what differs, or None.

    Raises:
        ConfigError: A pattern is no regular expression.

    Example:
        >>> guards().compare("Scope 1 emissions in 2023", "Scope 1 emissions in 2024").reason
        'year 2023 differs from 2024'
    """
    if embedder is None:
        try:
            embedder = embedders.static()
        except ConfigError:
            embedder = None
    return Guards(
        embedder,
        synonyms=[list(group) for group in synonyms],
        terms=[(slot, list(words)) for slot, words in (terms or {}).items()],
        patterns=list((patterns or {}).items()),
        checks=list(checks),
    )


def _rebuild(embedder: Any, options: dict[str, Any]) -> Guards:
    return Guards(embedder, **options)
