"""Plots as inline SVG: one line or many points, axes with round numbers, nothing from outside."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 520, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 40


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two ends.

    >>> ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step) * step
    return [first + n * step for n in range(int((high - first) / step + 1e-9) + 1)]


def plot(title: str, axes: str, points: Sequence[tuple[float, float]], bound: float | None = None) -> str:
    """An SVG of points; those in order of x with few enough of them are joined by a line."""
    if not points:
        return ""
    across, up = (axes.split(", ") + [""])[:2]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_low, x_high = min(xs), max(xs)
    y_high = max([*ys, bound or 0.0]) * 1.05 or 1.0
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x_at(x: float) -> float:
        return _LEFT + (x - x_low) / ((x_high - x_low) or 1.0) * inner_width

    def y_at(y: float) -> float:
        return _TOP + (1 - y / y_high) * inner_height

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}: {html.escape(up)} '
        f'by {html.escape(across)}, highest {max(ys):.4g}">'
    ]
    for y in ticks(0, y_high):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y_at(y):.1f}" y2="{y_at(y):.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y_at(y) + 4:.1f}" text-anchor="end">{y:,.4g}</text>')
    for x in ticks(x_low, x_high):
        parts.append(
            f'<text class="tick" x="{x_at(x):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:,.4g}</text>'
        )
    if bound is not None:
        parts.append(
            f'<line class="bound" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y_at(bound):.1f}" y2="{y_at(bound):.1f}"/>'
        )
    ordered = all(a <= b for a, b in zip(xs, xs[1:], strict=False))
    if ordered and len(points) <= 250:
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="line" points="{path}"/>')
    else:
        parts += [f'<circle class="dot" cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="1.6"/>' for x, y in points]
    parts.append(
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{html.escape(across)}</text>'
    )
    parts.append(
        f'<text class="axis" x="12" y="{_TOP + inner_height / 2:.0f}" text-anchor="middle" transform="rotate(-90 12 {_TOP + inner_height / 2:.0f})">{html.escape(up)}</text>'
    )
    parts.append("</svg>")
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{''.join(parts)}</figure>"
