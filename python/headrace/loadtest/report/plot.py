"""Plots as inline SVG: one line or many points, axes with units and round numbers, nothing from outside."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

_WIDTH, _HEIGHT = 520, 232
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 16, 42
# So many points are drawn as a line, and fewer than these as large dots.
_MOST_OF_A_LINE, _FEW = 250, 120
# On the axis of percentiles; the last stands for 100.
_PERCENTILES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)

Point = tuple[float, float]


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


def nines(percentile: float) -> float:
    """Where a percentile lies on an axis on which each nine takes as much room: 90, 99, 99.9.

    >>> [round(nines(p), 3) for p in (0, 90, 99, 99.9, 100)]
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    return max(0.0, min(4.0, -math.log10(max(1e-9, 1 - percentile / 100))))


def plot(
    title: str, axes: str, points: Sequence[Point], bound: float | None = None, told: str = "", unit: str = "ms"
) -> str:
    """An SVG of points; those in order of x with few enough of them are joined by a line.

    Args:
        title: of the figure.
        axes: the names of both, as `seconds, milliseconds`; an axis `percentile` is drawn by nines.
        points: (x, y).
        bound: what must hold, as a dashed line.
        told: what the points say, in a few words.
        unit: of the bound.
    """
    if not points:
        return ""
    across, up = (axes.split(", ") + [""])[:2]
    by_nines = across == "percentile"
    points = [(nines(x), y) for x, y in points] if by_nines else list(points)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    # Rates and amounts are read from zero; times of day and requests from their first.
    x_low, x_high = (0.0 if across.startswith("requests a second") else min(xs)), max(xs)
    y_high = max([*ys, bound or 0.0]) * 1.08 or 1.0

    def x_at(x: float) -> float:
        return _LEFT + (x - x_low) / ((x_high - x_low) or 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def y_at(y: float) -> float:
        return _TOP + (1 - y / y_high) * (_HEIGHT - _TOP - _BOTTOM)

    label = f"{html.escape(title)}: {html.escape(up)} by {html.escape(across)}, highest {max(ys):.4g}"
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">']
    parts += _grid(x_at, y_at, (x_low, x_high), y_high, by_nines)
    parts += _marks(points, x_at, y_at)
    if bound is not None:
        y = y_at(bound)
        parts.append(f'<line class="bound" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="limit" x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end">limit {bound:,.4g} {unit}</text>'
        )
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    named = "percentile of the requests" if by_nines else across
    parts.append(
        f'<text class="axis" x="{middle_x:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{html.escape(named)}</text>'
    )
    parts.append(
        f'<text class="axis" x="13" y="{middle_y:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 13 {middle_y:.0f})">{html.escape(up)}</text></svg>'
    )
    said = f"<p class=note>{html.escape(told)}</p>" if told else ""
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{said}{''.join(parts)}</figure>"


def _grid(
    x_at: Callable[[float], float], y_at: Callable[[float], float], ends: Point, y_high: float, by_nines: bool
) -> list[str]:
    parts = []
    for y in ticks(0, y_high):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y_at(y):.1f}" y2="{y_at(y):.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y_at(y) + 4:.1f}" text-anchor="end">{y:,.4g}</text>')
    if by_nines:
        places = [(nines(p), f"{p:g}") for p in _PERCENTILES[:-1] if nines(p) <= ends[1]] + [(4.0, "100")]
    else:
        places = [(x, f"{x:,.4g}") for x in ticks(*ends)]
    bottom = _HEIGHT - _BOTTOM
    for x, text in places:
        parts.append(f'<line class="grid" x1="{x_at(x):.1f}" x2="{x_at(x):.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class="tick" x="{x_at(x):.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    return parts


def _marks(points: Sequence[Point], x_at: Callable[[float], float], y_at: Callable[[float], float]) -> list[str]:
    ordered = all(a[0] <= b[0] for a, b in zip(points, points[1:], strict=False))
    if ordered and len(points) <= _MOST_OF_A_LINE:
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in points)
        return [f'<polyline class="line" points="{path}"/>']
    radius = 3 if len(points) < _FEW else 1.6
    return [f'<circle class="dot" cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="{radius}"/>' for x, y in points]
