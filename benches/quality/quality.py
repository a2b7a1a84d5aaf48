"""How often the semantic cache answers, and how often wrongly; the figures of docs/cache-quality.md.

    quality.py groups PAIRS.csv ...            columns a, b, group_a, group_b: one stored a group, the others asked
    quality.py traps PAIRS.jsonl               a, b, label: does the guard let b's answer serve a?
    quality.py conversations PAIRS.jsonl       the same for lists of messages, with the scope taken from them
    quality.py stream QUESTIONS.csv ... [--svg OUT.svg]
                                               text, category: asked in random order, stored where nothing answers

Each takes files of yours in the same columns. The stream draws the plot of hits against errors.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import headrace
from headrace import embedders
from headrace.cache import scope as scope_of
from headrace.guards import guards

THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
RATES = (0.01, 0.02, 0.05)


def read(files: list[Path]) -> list[dict[str, Any]]:
    """Rows of CSV and JSON lines files."""
    rows: list[dict[str, Any]] = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines] if file.suffix == ".jsonl" else list(csv.DictReader(lines))
    return rows


def groups(files: list[Path]) -> None:
    """Store one question a group, ask the others and those that are alone in their group."""
    members: dict[str, set[str]] = {}
    for row in read(files):
        for side in "ab":
            members.setdefault(row[f"group_{side}"], set()).add(row[side])
    stored, asked = {}, {}
    for group, questions in sorted(members.items()):
        first, *rest = sorted(questions, key=lambda question: hashlib.sha256(question.encode()).digest())
        if rest:
            stored[group] = first
        asked.update((question, group) for question in rest or [first])
    possible = sum(group in stored for group in asked.values())
    settings: list[tuple[str, dict[str, Any]]] = [("guards, default", {})]
    settings += [(f"guards, cosine >= {least}", {"threshold": least}) for least in THRESHOLDS]
    settings += [(f"no guards, cosine >= {least}", {"threshold": least, "guards": False}) for least in THRESHOLDS]
    for name, setting in settings:
        cache = headrace.SemanticCache(embedders.static(), **setting)
        for group, question in stored.items():
            cache.put(question, group)
        hits = {question: hit for question in asked if (hit := cache.get(question)) is not None}
        right = sum(hit.response == asked[question] for question, hit in hits.items())
        print(f"{name:28}  coverage {right / possible:.3f}  false {(len(hits) - right) / len(asked):.4f}")


def traps(files: list[Path]) -> None:
    """Ask b of what was stored for a."""
    rows = read(files)
    for least in (None, *THRESHOLDS):
        served: dict[tuple[int, bool], int] = {}
        for guarded in (True, False):
            for row in rows:
                setting = {} if least is None else {"threshold": least}
                cache = headrace.SemanticCache(embedders.static(), guards=guarded, **setting)
                cache.put(row["a"], "answer")
                key = (int(row["label"]), guarded)
                served[key] = served.get(key, 0) + (cache.get(row["b"]) is not None)
        print(
            f"cosine >= {least or 'default'}: guarded {served[1, True]} right, {served[0, True]} wrong;"
            f" unguarded {served[1, False]} right, {served[0, False]} wrong, of {len(rows)}"
        )


def conversations(files: list[Path]) -> None:
    """Ask the last message of b, in the scope of b's conversation, of what was stored for a's."""
    right = wrong = alone = 0
    rows = read(files)
    for row in rows:
        cache = headrace.SemanticCache(embedders.static())
        (one, before), (other, then) = scope_of(row["a"]), scope_of(row["b"])
        cache.put(one, "answer", scope=before)
        served = cache.get(other, scope=then) is not None
        right, wrong = right + (served and row["label"] == 1), wrong + (served and row["label"] == 0)
        last = headrace.SemanticCache(embedders.static(), guards=False)
        last.put(row["a"][-1]["content"], "answer")
        alone += last.get(row["b"][-1]["content"]) is not None and row["label"] == 0
    print(f"with scope: {right} right, {wrong} wrong; by the last message alone: {alone} wrong, of {len(rows)}")


def stream(files: list[Path], svg: Path | None, seed: int) -> None:
    """Ask every question once in random order; what nothing answers is stored with its label as the answer."""
    rows = read(files)
    random.Random(seed).shuffle(rows)
    curves: dict[str, list[tuple[float, float]]] = {}
    settings: list[tuple[str, str, dict[str, Any]]] = []
    for least in THRESHOLDS:
        settings.append(("no guards", f"cosine >= {least}", {"threshold": least, "guards": False}))
    settings.append(("guards", "default", {}))
    settings += [("guards", f"cosine >= {least}", {"threshold": least}) for least in THRESHOLDS]
    settings += [("guards, learned", f"max_error_rate={rate}", {"max_error_rate": rate}) for rate in RATES]
    for curve, name, setting in settings:
        cache, hits, wrong = headrace.SemanticCache(embedders.static(), **setting), 0, 0
        for row in rows:
            hit = cache.get(row["text"])
            if hit is None:
                cache.put(row["text"], row["category"])
            else:
                hits, wrong = hits + 1, wrong + (hit.response != row["category"])
        share, error = hits / len(rows), wrong / max(1, hits)
        curves.setdefault(curve, []).append((share, error))
        print(f"{curve:16} {name:20} hits {share:.3f}  wrong among hits {error:.4f} ({wrong} of {hits})", flush=True)
    if svg is not None:
        svg.write_text(plot(curves), encoding="utf-8")


def plot(curves: dict[str, list[tuple[float, float]]]) -> str:
    """A small SVG: the share of questions answered across, the share of wrong answers upwards."""
    width, height, left, low = 640, 360, 60, 310
    most = max(error for points in curves.values() for _, error in points) * 1.1 or 0.01
    wide = max(share for points in curves.values() for share, _ in points) * 1.1

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return left + point[0] / wide * (width - left - 20), low - point[1] / most * (low - 20)

    label = 'text-anchor="middle"'
    middle = low // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<path d="M{left} 20V{low}H{width - 20}" stroke="#444" fill="none"/>',
        f'<text x="{width // 2}" y="{height - 12}" {label}>share of questions answered from the cache</text>',
        f'<text x="16" y="{middle}" transform="rotate(-90 16 {middle})" {label}>wrong among answers</text>',
    ]
    for step in range(6):
        x, y = place((wide * step / 5, most * step / 5))
        parts.append(f'<text x="{x:.0f}" y="{low + 16}" text-anchor="middle">{wide * step / 5:.0%}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{most * step / 5:.1%}</text>')
    for number, ((name, points), colour) in enumerate(zip(curves.items(), ("#b33", "#27c", "#293"), strict=False)):
        dots = [place(point) for point in sorted(points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots]
        parts.append(f'<text x="{left + 16}" y="{36 + 18 * number}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def explain(asked: str, stored: str) -> None:
    """What the guards say of one pair."""
    own = guards()
    print(own.compare(asked, stored), own.describe(asked), own.describe(stored), sep="\n")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("view", choices=["groups", "traps", "conversations", "stream", "explain"])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    files = [Path(file) for file in given.files]
    if given.view == "groups":
        for file in files:
            print(file.name)
            groups([file])
    elif given.view == "traps":
        traps(files)
    elif given.view == "conversations":
        conversations(files)
    elif given.view == "stream":
        stream(files, given.svg, given.seed)
    else:
        explain(*given.files)


if __name__ == "__main__":
    main()
