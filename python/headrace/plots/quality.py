"""How well a cache answers: what it did, and its hits against its errors over labelled pairs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from headrace import embedders
from headrace.cache import SemanticCache
from headrace.errors import ConfigError
from headrace.guards import Guards
from headrace.guards import guards as standard_guards
from headrace.plots.canvas import BLUE, GREEN, GREY, ORANGE, count_axis, key, new_axes, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["draw_answered", "draw_hits"]

_LEAST_ANSWERS = 10
_Judged = tuple[float, bool]


def draw_answered(cache: SemanticCache, ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.answered`.

    Args:
        cache: The cache.
        ax: Where to draw, or None.
    """
    stats = cache.stats()
    counts = {
        "the same prompt": (stats["exact_hits"], BLUE),
        "a similar prompt": (stats["semantic_hits"], GREEN),
        "not answered": (stats["misses"], GREY),
    }
    asked = sum(count for count, _ in counts.values())
    if not asked:
        return note(new_axes(ax, "Answered by the cache", height=2.4), "nothing has been asked yet")
    title = f"Answered by the cache: {stats['hit_rate']:.0%} of {asked:,} questions".replace("%", " %")
    ax = new_axes(ax, title, height=2.4)
    bars = ax.barh(list(counts), [count for count, _ in counts.values()], 0.7, color=[c for _, c in counts.values()])
    ax.bar_label(bars, [f"{count:,}" for count, _ in counts.values()], padding=4)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    count_axis(ax, max(count for count, _ in counts.values()))
    told = {
        "candidates kept from serving by guards": stats["blocked"],
        "answers marked as wrong": stats["rejections"],
    }
    ax.set_xlabel("; ".join(f"{what}: {count:,}" for what, count in told.items() if count) or "questions")
    return ax


def draw_hits(pairs: Sequence[tuple[str, str, bool]], embedder: Any, guards: Guards | None, ax: Axes | None) -> Axes:
    """Draw as `headrace.plots.hits`.

    Args:
        pairs: Two questions, and whether one answer serves both.
        embedder: Makes their vectors; None for the static one.
        guards: Compare them; None for the standard ones.
        ax: Where to draw, or None.
    """
    same = sum(bool(label) for *_, label in pairs)
    if not 0 < same < len(pairs):
        raise ConfigError(
            f"of {len(pairs)} pairs, one answer serves {same}: give pairs that it serves and pairs that it does not"
        )
    embedder = embedders.static() if embedder is None else embedder
    checks = standard_guards() if guards is None else guards
    near = _similarities(pairs, embedder)
    judged = [(similarity, bool(pair[2])) for similarity, pair in zip(near, pairs, strict=True)]
    passed = [
        one for one, (asked, stored, _) in zip(judged, pairs, strict=True) if checks.compare(asked, stored).passed
    ]
    ax = new_axes(ax, f"Hits against errors: {len(pairs):,} pairs", height=4.2)
    bound = SemanticCache(embedder).threshold
    for name, found, colour, line in [("similarity alone", judged, ORANGE, "--"), ("with guards", passed, BLUE, "-")]:
        curve = _curve(found, same)
        ax.plot(
            [wrong for _, _, wrong in curve],
            [right for _, right, _ in curve],
            line,
            color=colour,
            linewidth=2,
            label=name,
        )
        at = _at(curve, bound)
        if at is not None:
            ax.scatter([at[1]], [at[0]], s=46, color=colour, zorder=3, label=f"{name}, cosine from {bound:g} on")
    ax.set_xlabel("error rate: wrong, of what is answered")
    ax.set_ylabel("hit rate: answered, of what one answer serves")
    # A line without errors is beside the axis, not under it.
    ax.set_xlim(-0.02 * max(0.1, ax.get_xlim()[1]), max(0.1, ax.get_xlim()[1]))
    ax.set_ylim(0, 1.03)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _place: f"{value:.0%}".replace("%", " %"))
    key(ax)
    return ax


def _similarities(pairs: Sequence[tuple[str, str, bool]], embedder: Any) -> list[float]:
    """The cosine of the two questions of each pair."""
    import numpy as np

    texts = list(dict.fromkeys(text for pair in pairs for text in pair[:2]))
    rows = embedders.as_rows(embedder(texts), len(texts)).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    place = {text: number for number, text in enumerate(texts)}
    left = rows[[place[asked] for asked, _, _ in pairs]]
    right = rows[[place[stored] for _, stored, _ in pairs]]
    similarities: list[float] = np.einsum("ij,ij->i", left, right).tolist()
    return similarities


def _curve(judged: Sequence[_Judged], same: int) -> list[tuple[float, float, float]]:
    """The least similarity, the hit rate and the error rate, from strict to lax; equal similarities fall together.

    A rate over a few answers says little: where there are more, the first ten make one point.

    >>> _curve([(0.9, True), (0.8, False), (0.8, True)], 2)
    [(0.8, 1.0, 0.3333333333333333)]
    """
    points, right, wrong = [], 0, 0
    for similarity, group in groupby(sorted(judged, reverse=True), key=lambda one: one[0]):
        for _, is_same in group:
            right, wrong = right + is_same, wrong + (not is_same)
        if right + wrong >= min(_LEAST_ANSWERS, len(judged)):
            points.append((similarity, right / same, wrong / (right + wrong)))
    return points


def _at(curve: Sequence[tuple[float, float, float]], bound: float) -> tuple[float, float] | None:
    """The hit rate and the error rate at a least similarity; None where nothing reaches it."""
    reached = [(right, wrong) for similarity, right, wrong in curve if similarity >= bound]
    return reached[-1] if reached else None
