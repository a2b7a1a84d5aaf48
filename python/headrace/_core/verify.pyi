from collections.abc import Sequence
from decimal import Decimal
from os import PathLike
from typing import Any, final

#: Whether this build is optimised; one that is not takes most of a second to read a pair.
IS_OPTIMISED: bool

__all__ = ["IS_OPTIMISED", "LocalVerifier", "SpentMeter"]

@final
class LocalVerifier:
    """The verifier that runs here: a small model of English questions; `headrace.verifiers.local` makes it.

    Works without the GIL, in threads and after a fork, and can be pickled by the path of its file.

    Args:
        path: The file of the model; it is read when the first pair is to be judged.

    Raises:
        ConfigError: There is no such file, or at the first pair, it holds no model of a verifier.
    """

    def __new__(cls, path: str | PathLike[str]) -> LocalVerifier: ...
    @property
    def name(self) -> str:
        """What `explain` calls it."""

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """How probable it is of each pair that one answer serves both questions; 0.5 of a pair that it cannot read.

        Args:
            pairs: The asked and the stored question of each.
        """

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class SpentMeter:
    """Counts what a verifier spends: calls, dollars and failures."""

    def __new__(cls) -> SpentMeter: ...
    def add(self, calls: int, cost: Decimal | int | float | str | None = None, failures: int = 0) -> None:
        """Adds calls, what they cost in dollars, and how many of them failed or were late."""

    @property
    def calls(self) -> int:
        """How often a model or a service was asked."""

    @property
    def cost(self) -> Decimal:
        """What that cost, in dollars."""

    @property
    def failures(self) -> int:
        """How many of the calls failed or were late."""
