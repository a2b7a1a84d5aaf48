"""What a price list is read into: models by provider and name, prices by kind, terms and time."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

MILLION = Decimal(1_000_000)

KIND_ORDER = [
    "input", "cached_input", "cache_write", "cache_write_1h", "input_audio", "input_image",
    "output", "reasoning", "output_audio", "output_image", "image", "search", "request",
]  # fmt: skip
BY_UNIT = {"image", "search", "request"}
TIERS = ["", "batch", "flex", "priority", "fast"]


class Rate(NamedTuple):
    """What a price is for."""

    kind: str
    above: int
    tier: str


class Condition(NamedTuple):
    """When prices hold."""

    since: str = ""
    until: str = ""
    hours: str = ""
    days: str = ""


Rates = dict[Rate, Decimal]
Periods = list[tuple[Condition, Rates]]


class Model(NamedTuple):
    """A row of the table."""

    mode: str
    context: int | None
    max_output: int | None
    abilities: str
    periods: Periods
    source: str
    """A letter for each list that the prices come from: l LiteLLM, g genai-prices, m models.dev, h headrace."""
    names: set[str]


def decimal(value: float | str) -> Decimal:
    """Give the published figure; a float's noise in the 16th digit is not published."""
    exact = Decimal(repr(value) if isinstance(value, float) else str(value))
    return exact if len(exact.as_tuple().digits) < 14 else Decimal(f"{exact:.9e}")


def number(value: object) -> int | None:
    """Give a positive whole number, or nothing."""
    return int(value) if isinstance(value, (int, float, Decimal)) and value > 0 else None
