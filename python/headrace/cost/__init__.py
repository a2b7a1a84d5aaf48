"""What calls cost, in money, energy and carbon: the tracker, its report, and figures that know their bounds."""

from __future__ import annotations

from collections.abc import Mapping

from headrace._core.cost import CostRecord
from headrace.cost.estimate import Estimate
from headrace.cost.results import Alert, BudgetStatus, CostLine, SummaryRow, TrackerStats
from headrace.cost.tracker import AsyncReservation, CostTracker

__all__ = [
    "Alert",
    "AsyncReservation",
    "BudgetStatus",
    "CostLine",
    "CostTracker",
    "Estimate",
    "SummaryRow",
    "TrackerStats",
]

# A record has the methods of a mapping: `DataFrame(costs.records())` has a column for each of its fields.
Mapping.register(CostRecord)
