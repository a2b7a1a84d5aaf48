from collections.abc import Callable, Sequence
from typing import Any, final

__all__ = ["Guards", "Verdict"]

@final
class Guards:
    """What two questions are compared by; :func:`headrace.guards.guards` makes one with what you add.

    Args:
        embedder: Whose word vectors tell a synonym from another thing; None for none.
        synonyms: Groups of phrases that are one thing.
        terms: Slots, each with terms of which two questions must name the same.
        patterns: Slots, each with a regular expression whose matches must be the same.
        checks: Functions of the asked and the stored question that return what differs, or None. One that raises
            blocks.

    Raises:
        ConfigError: A pattern is no regular expression, or the embedder no embedder.
    """

    def __new__(
        cls,
        embedder: Any = None,
        *,
        synonyms: Sequence[Sequence[str]] | None = None,
        terms: Sequence[tuple[str, Sequence[str]]] | None = None,
        patterns: Sequence[tuple[str, str]] | None = None,
        checks: Sequence[Callable[[str, str], str | None]] | None = None,
    ) -> Guards: ...
    def compare(self, asked: str, stored: str) -> Verdict:
        """Whether the answer to ``stored`` may serve ``asked``."""

    def describe(self, text: str) -> list[str]:
        """What the guards read in a question, as in ``["scope 1", "year 2023", "name Acme"]``."""

    def _evidence(self, asked: str, stored: str) -> list[float] | None:
        """What the weighing of two wordings looks at, for fitting it; None where something else parts them."""

    def _facts(self, asked: str, stored: str) -> tuple[str | None, list[tuple[str, str]]]:
        """What the facts part where somebody reads the wording, and every slot in which the two differ."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Verdict:
    """Whether a stored answer may serve, and what speaks against it. True where it may."""

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""

    @property
    def agreement(self) -> float:
        """1 where every word has its equal, towards 0 the looser the synonyms; 0 where it is blocked."""

    @property
    def reason(self) -> str | None:
        """What differs, as in ``year 2023 differs from 2024``."""

    def __bool__(self) -> bool: ...
