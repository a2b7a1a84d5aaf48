"""What a map would cost, before anything is asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from headrace.cost.format import dollars
from headrace.notebook import facts

__all__ = ["MapEstimate"]


class MapEstimate(NamedTuple):
    """What a map would do and cost; nothing was asked.

    Attributes:
        rows: all rows.
        distinct: rows whose question is another than that of every row before.
        hits: distinct rows that the run's file or the cache answers already, to the letter, or that are in a batch
            under way; the cache may answer more by meaning.
        cost_low: dollars, where every answer has one token.
        cost: dollars expected: answers as long as those of the run or, before there are any, those that the ledger has
            from the model; without either, as long as the question.
        cost_high: dollars at most: every answer as long as `max_tokens` allows, or the model.
        seconds: how long it would take, by the calls that the ledger has timed; for a batch the day that it may take.

    >>> MapEstimate(10, 8, 3, Decimal("0.1"), Decimal("0.2"), Decimal("0.9"), 12.0).to_dict()["distinct"]
    8
    """

    rows: int
    distinct: int
    hits: int
    cost_low: Decimal
    cost: Decimal
    cost_high: Decimal
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All of it, as values that JSON has: money is text."""
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in self._asdict().items()}

    def __str__(self) -> str:
        asked = self.distinct - self.hits
        return (
            f"{self.rows:,} rows, {self.distinct:,} distinct, {self.hits:,} answered already: {asked:,} to ask\n"
            f"about {dollars(self.cost)} ({dollars(self.cost_low)} to {dollars(self.cost_high)}), {self.seconds:,.0f} s"
        )

    def _repr_html_(self) -> str:
        return facts("Estimate of a map", {**self._asdict(), "seconds": f"{self.seconds:,.0f}"})
