"""Figures as people read them. Only here is money rounded."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal


def dollars(amount: Decimal) -> str:
    """Show an amount to cents, below a dollar to four digits.

    >>> dollars(Decimal("1234.567")), dollars(Decimal("0.0123456")), dollars(Decimal("0.00000014"))
    ('$1,234.57', '$0.01235', '$0.00000014')
    """
    if abs(amount) >= 1 or amount == 0:
        return f"${amount:,.2f}"
    return f"${Decimal(f'{amount:.4g}'):f}"


def percent(amount: Decimal, total: Decimal) -> str:
    """Show a part of a whole."""
    return f"{amount / total * 100:.0f} %" if total else ""


def grams(amount: float) -> str:
    """Show a mass.

    >>> grams(12.34), grams(4321.0)
    ('12.3 g', '4.32 kg')
    """
    return f"{amount / 1000:,.2f} kg" if abs(amount) >= 1000 else f"{amount:,.1f} g"


def group_name(group: Mapping[str, object], by: str) -> str:
    """Name a row of a summary; calls without a value for the dimension have none."""
    return str(group[by]) or "-"
