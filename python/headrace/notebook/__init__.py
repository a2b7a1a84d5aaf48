"""What a notebook shows of an object: a small table in the colours of the page, light or dark.

Nothing here has a colour or a script of its own, so that it is legible in Jupyter, VS Code and nbconvert alike;
everything that comes from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headrace._late import Late

if TYPE_CHECKING:
    import html
else:
    html = Late("html")

__all__ = ["Table", "cell", "facts", "page", "rows"]

_LONGEST = 400
_MOST_ROWS = 20
_LINE = "border-bottom:1px solid currentColor"
_UNITS = {"wh": "Wh", "g": "g", "l": "l", "ms": "ms"}
_NAME = ";opacity:.7;white-space:nowrap"
_CELL = "padding:2px 12px 2px 0;text-align:{side};vertical-align:top;color:inherit"


class Table(str):
    """HTML that is finished: it is not escaped again."""

    __slots__ = ()


def cell(value: Any) -> str:
    """A value as a table shows it, escaped and of bounded length.

    Args:
        value: anything; a `Table` stands as it is.

    >>> cell("<b>"), cell(None), cell(Decimal("0.00000120")), cell(1234567)
    ('&lt;b&gt;', '', '$0.0000012', '1,234,567')
    """
    if isinstance(value, Table):
        return value
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return html.escape(_dollars(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, datetime):
        return html.escape(f"{value:%Y-%m-%d %H:%M:%S} UTC")
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {one:,}" if isinstance(one, int) else f"{name} {one}" for name, one in value.items())
    elif isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    text = str(value)
    return html.escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...")


def facts(title: str, values: Mapping[str, Any]) -> str:
    """A table of names and values; those without a value are left out.

    Args:
        title: what it is.
        values: by name; underscores are shown as spaces, a unit at the end as a unit.
    """
    lines = [
        f"<tr>{_td(html.escape(_named(name)), 'left', dim=True)}{_td(cell(value), 'left')}</tr>"
        for name, value in values.items()
        if value is not None and value != "" and value != []
    ]
    return page(title, f"<table style='border-collapse:collapse'>{''.join(lines)}</table>")


def rows(title: str, found: Sequence[Mapping[str, Any]], columns: Iterable[str], empty: str) -> str:
    """A table with a line for each row, the first twenty.

    Args:
        title: what it is.
        found: the rows.
        columns: which of their values, in order.
        empty: what to say where there is no row.
    """
    if not found:
        return page(title, f"<div>{html.escape(empty)}</div>")
    names = list(columns)
    # A name stands over its values.
    head = "".join(
        f"<th style='{_CELL.format(side=_side(found[0].get(name)))};{_LINE}'>{html.escape(_named(name))}</th>"
        for name in names
    )
    body = "".join(
        f"<tr>{''.join(_td(cell(row.get(name)), _side(row.get(name))) for name in names)}</tr>"
        for row in found[:_MOST_ROWS]
    )
    more = f"<div>and {len(found) - _MOST_ROWS:,} more</div>" if len(found) > _MOST_ROWS else ""
    return page(title, f"<table style='border-collapse:collapse'><tr>{head}</tr>{body}</table>{more}")


def page(title: str, *parts: str) -> str:
    """Parts of HTML under a title.

    Args:
        title: plain text.
        parts: HTML.
    """
    head = f"<div style='font-weight:600'>{html.escape(title)}</div>" if title else ""
    return f"<div style='font-family:inherit;font-size:13px;color:inherit'>{head}{''.join(parts)}</div>"


def _named(name: str) -> str:
    """A name in words: `avoided_co2e_g` is avoided CO2e (g)."""
    head, _, last = name.rpartition("_")
    words = f"{head} ({_UNITS[last]})" if head and last in _UNITS else name
    return words.replace("_", " ").replace("co2e", "CO2e")


def _td(shown: str, side: str, *, dim: bool = False) -> str:
    return f"<td style='{_CELL.format(side=side)}{_NAME if dim else ''}'>{shown}</td>"


def _side(value: Any) -> str:
    return "right" if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else "left"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}" if abs(amount) >= 1 or amount == 0 else f"${Decimal(f'{amount:.6g}').normalize():f}"
