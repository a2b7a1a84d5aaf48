"""What teaches the verifier: pairs of questions, and lists of rivals, from groups of questions.

Positives are two wordings of one group. Negatives are wordings of two groups that look alike (``near``), of two groups of
one author that all-MiniLM takes for similar, and of templates whose values differ in one slot. Which side a question
stands on is drawn, so that the model sees both orders.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Group = dict[str, Any]
#: A question is compared with this many of its nearest, when its rivals are looked for.
NEAREST = 200


@dataclass(frozen=True)
class QuestionPair:
    """Two questions, and whether one answer serves both."""

    asked: str
    stored: str
    same: bool
    #: Where it comes from: ``group``, ``near``, ``similar`` or ``template``.
    origin: str


@dataclass(frozen=True)
class Rivals:
    """A question, the stored question that has its answer where there is one, and stored questions that look like it."""

    asked: str
    right: str | None
    wrong: list[str]


def read(file: Path) -> list[Group]:
    """The groups of one author."""
    found: list[Group] = json.loads(file.read_text(encoding="utf-8"))
    return found


def questions(groups: list[Group]) -> list[str]:
    """All questions of an author, in order."""
    return [question for group in groups for question in group["questions"]]


def pairs(groups: list[Group], vectors: np.ndarray, draw: random.Random, near: int = 3) -> Iterator[QuestionPair]:
    """The pairs of one author's groups. ``vectors`` are the unit embeddings of all questions, in order."""
    by_name = {group["group"]: group for group in groups}
    for group in groups:
        for one, other in _some(itertools.combinations(group["questions"], 2), 8, draw):
            yield _pair(one, other, True, "group", draw)
        for name in group.get("near", []):
            if name in by_name and group["group"] < name:
                couples = itertools.product(group["questions"], by_name[name]["questions"])
                for one, other in _some(couples, near, draw):
                    yield _pair(one, other, False, "near", draw)
    texts = [(question, group) for group in groups for question in group["questions"]]
    for place, (question, group) in enumerate(texts):
        known = {group["group"], *group.get("near", [])}
        for rival in np.argsort(-(vectors @ vectors[place]))[:40]:
            other, its_group = texts[rival]
            if its_group["group"] not in known:
                yield _pair(question, other, False, "similar", draw)
                break


def rivals(groups: list[Group], vectors: np.ndarray, draw: random.Random, most: int = 4) -> Iterator[Rivals]:
    """For each question its hardest rivals; a quarter of the questions has no right one, as in a cache."""
    texts = [(question, group) for group in groups for question in group["questions"]]
    for place, (question, group) in enumerate(texts):
        order = np.argsort(-(vectors @ vectors[place]))[:NEAREST]
        names = group.get("near", [])
        alike = [texts[i] for i in order if texts[i][1]["group"] in names]
        others = [texts[i] for i in order[:30] if texts[i][1]["group"] not in names]
        pool: dict[str, list[str]] = {}
        for other, its_group in alike + others:
            if its_group is not group:
                pool.setdefault(its_group["group"], []).append(other)
        chosen = list(pool.values())[: most + 2]
        draw.shuffle(chosen)
        wordings = [other for other in group["questions"] if other != question]
        right = draw.choice(wordings) if wordings and draw.random() >= 0.25 else None
        if chosen:
            yield Rivals(question, right, [draw.choice(wording[:2]) for wording in chosen[:most]])


def of_templates(sets: dict[str, Any], cells_each: int, draw: random.Random) -> Iterator[QuestionPair]:
    """Paraphrases of templates, and near misses whose values differ in one slot."""
    for template in (template for intents in sets.values() for template in intents.values()):
        wordings, slots = template["wordings"], template["slots"]
        cells = [dict(zip(slots, values, strict=True)) for values in itertools.product(*slots.values())]
        draw.shuffle(cells)
        for values in cells[:cells_each]:
            one, other = draw.sample(wordings, 2)
            yield QuestionPair(one.format(**values), other.format(**values), True, "template")
            slot = draw.choice(list(slots)) if slots else None
            choices = [choice for choice in slots[slot] if choice != values[slot]] if slot else []
            if slot and choices:
                changed = values | {slot: draw.choice(choices)}
                one, other = draw.choice(wordings), draw.choice(wordings)
                yield QuestionPair(one.format(**values), other.format(**changed), False, "template")


def _some(couples: Any, most: int, draw: random.Random) -> list[Any]:
    drawn = list(couples)
    draw.shuffle(drawn)
    return drawn[:most]


def _pair(one: str, other: str, same: bool, origin: str, draw: random.Random) -> QuestionPair:
    asked, stored = (one, other) if draw.random() < 0.5 else (other, one)
    return QuestionPair(asked, stored, same, origin)
