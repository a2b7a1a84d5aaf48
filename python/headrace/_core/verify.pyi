from decimal import Decimal
from typing import final

__all__ = ["SpentMeter"]

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
