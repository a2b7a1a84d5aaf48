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
        synonyms: Groups of at least two phrases that are one thing.
        terms: By the name of a slot: a list of terms of which two questions must name the same.
        patterns: By the name of a slot: a regular expression, whose matches (first group, or all) must be the same.
        checks: Functions of the asked and the stored question that return what differs, or None.

    Raises:
        ConfigError: A pattern is no regular expression, or something has another shape than these.

    Example:
        >>> guards().compare("Scope 1 emissions in 2023", "Scope 1 emissions in 2024").reason
        'year 2023 differs from 2024'
        >>> guards(terms={"mill": "Upper Mill"})
        Traceback (most recent call last):
            ...
        headrace.errors.ConfigError: terms['mill'] is 'Upper Mill': give a list of texts, as in ['Upper Mill', 'Lower Mill']
    """  # noqa: E501
    options: dict[str, Any] = {
        "synonyms": [
            _texts(f"synonyms[{place}]", group, 2) for place, group in enumerate(_items("synonyms", synonyms))
        ],
        "terms": [
            (_slot("terms", slot), _texts(f"terms[{slot!r}]", words, 1)) for slot, words in _pairs("terms", terms)
        ],
        "patterns": [
            (_slot("patterns", slot), _text(f"patterns[{slot!r}]", pattern))
            for slot, pattern in _pairs("patterns", patterns)
        ],
        "checks": [_check(place, check) for place, check in enumerate(_items("checks", checks))],
    }
    if embedder is None:
        try:
            embedder = embedders.static()
        except ConfigError:
            embedder = None
    return Guards(embedder, **options)


def _items(name: str, given: Any) -> list[Any]:
    """What can be gone through one by one, other than a text or a mapping."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        expected = "groups of texts" if name == "synonyms" else "functions"
        raise ConfigError(f"{name} is {_short(given)}: give a list of {expected}")
    return list(given)


def _pairs(name: str, given: Any) -> list[tuple[Any, Any]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        expected = "{'mill': ['Upper Mill', 'Lower Mill']}" if name == "terms" else r"{'ticket': r'ESG-(\d+)'}"
        raise ConfigError(f"{name} is {_short(given)}: give a dict by the name of a slot, as in {expected}")
    return list(given.items())


def _slot(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(f"{name} has a slot named {_short(given)}: name it by a text, as in 'mill'")
    return given


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(f"{name} is {_short(given)}: give a text that is not empty")
    return given


def _texts(name: str, given: Any, least: int) -> list[str]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{name} is {_short(given)}: give a list of texts, as in ['Upper Mill', 'Lower Mill']")
    texts = [_text(f"{name}[{place}]", text) for place, text in enumerate(given)]
    if len(texts) < least:
        raise ConfigError(f"{name} has {len(texts)} texts: give at least {least}")
    return texts


def _check(place: int, given: Any) -> Callable[[str, str], str | None]:
    if not callable(given):
        raise ConfigError(f"checks[{place}] is {_short(given)}: give a function of the asked and the stored question")
    return given  # type: ignore[no-any-return]


def _short(given: Any) -> str:
    """What was given, for a message: its beginning where it is long."""
    try:
        text = repr(given)
    except Exception:
        text = f"a {type(given).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _rebuild(embedder: Any, options: dict[str, Any]) -> Guards:
    return Guards(embedder, **options)
