"""The shapes of what the tracker's methods give: dictionaries with these keys."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from headrace.cost.estimate import Estimate


class CostLine(TypedDict):
    """What one kind of usage cost: a line of `CostRecord.lines`."""

    kind: str
    quantity: int
    unit_price: Decimal
    amount: Decimal


class BudgetIdentity(TypedDict):
    """What a budget is for."""

    limit: Decimal
    tenant: str | None
    part_of: str | None
    provider: str | None
    model: str | None
    tag: str | None
    period: str
    timezone: str
    on_exceed: str


class BudgetStatus(BudgetIdentity):
    """A budget, and what of it is gone, in dollars: a row of `CostTracker.budgets`."""

    spent: Decimal
    reserved: Decimal
    remaining: Decimal


class Alert(BudgetIdentity):
    """What the function given to `CostTracker.set_budget` as `alerts` is called with."""

    fraction: float
    spent: Decimal


class SummaryFigures(TypedDict):
    """The figures of a group of calls."""

    calls: int
    cache_hits: int
    estimated_calls: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost: Decimal
    saved: Decimal
    energy_wh: Estimate
    co2e_g: Estimate
    avoided_co2e_g: Estimate
    calls_of_unknown_footprint: int


class SummaryRow(SummaryFigures, total=False):
    """A row of `CostTracker.summary`: its figures, and a key for each dimension that was asked for."""

    start: datetime
    provider: str
    model: str
    tenant: str
    tags: str
    estimated: str
    price_version: str
    zone: str


class TrackerStats(TypedDict):
    """What `CostTracker.stats` counts, since the tracker was opened."""

    records: int
    estimated: int
    refused: int
    unknown_footprint: int
    waiting: int
