"""A figure that knows its bounds."""

from __future__ import annotations


class Estimate(float):
    """A figure that lies between two bounds; as a number it is the middle of them.

    >>> figure = Estimate(1.0, 3.0)
    >>> figure.min, figure, figure.max
    (1.0, Estimate(1.0, 3.0), 3.0)
    >>> figure + 1
    3.0
    """

    __slots__ = ("max", "min")

    min: float
    max: float

    def __new__(cls, low: float, high: float) -> Estimate:
        """Make the figure from its bounds."""
        self = super().__new__(cls, (low + high) / 2)
        self.min, self.max = low, high
        return self

    def __repr__(self) -> str:
        return f"Estimate({self.min!r}, {self.max!r})"

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]
        return self.min, self.max
