"""What calls cost, in money, energy and carbon: the tracker, and figures that know their bounds."""

from __future__ import annotations

from typing import Any

from headrace import _core


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


class CostTracker(_core.cost.CostTracker):
    """Prices calls, keeps budgets, writes the ledger.

    Args:
        prices: A `PriceTable`; the built-in one where it is not given.
        fallback: What a model without a price costs: `"estimate"` takes a large model's price and marks the record.
        url: `memory://`, or `sqlite:///FILE` for a ledger that survives and that processes share.

    Raises:
        ConfigError: The address is not understood.
        StoreError: The file cannot be opened.

    >>> import headrace
    >>> costs = headrace.CostTracker()
    >>> usage = headrace.Usage(input_tokens=1000, output_tokens=500)
    >>> costs.record("openai/gpt-4", usage, tenant="acme").cost
    Decimal('0.06')
    >>> costs.set_budget("0.10", tenant="acme", period="day")
    >>> with costs.reserve("openai/gpt-4", usage, tenant="acme") as held:
    ...     held.settle(usage)
    Traceback (most recent call last):
        ...
    headrace.errors.BudgetExceeded: a call of at most $0.06 does not fit ...
    """

    def areserve(self, model: str, usage: _core.cost.Usage, **keywords: Any) -> AsyncReservation:
        """Reserve as `reserve` does, for `async with`.

        Args:
            model: The model, as `provider/model`.
            usage: The worst case.
            **keywords: As for `reserve`.
        """
        return AsyncReservation(super().areserve, model, usage, keywords)


class AsyncReservation:
    """What `areserve` gives: enter it with `async with`."""

    def __init__(self, reserve: Any, model: str, usage: _core.cost.Usage, keywords: dict[str, Any]) -> None:
        self._start = (reserve, model, usage, keywords)
        self._held: _core.cost.Reservation | None = None

    async def __aenter__(self) -> AsyncReservation:
        reserve, model, usage, keywords = self._start
        self._held = await reserve(model, usage, **keywords)
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._held is not None:
            self._held.forget()

    async def settle(self, usage: _core.cost.Usage, **keywords: Any) -> _core.cost.CostRecord:
        """Book what the call did use and give the rest back.

        Args:
            usage: What it did use.
            **keywords: `model`, `cache`, `latency`, `attempts`, as for `Reservation.settle`.
        """
        if self._held is None:
            raise RuntimeError("this reservation was not entered: use it with `async with`")
        record: _core.cost.CostRecord = await self._held.asettle(usage, **keywords)
        return record
