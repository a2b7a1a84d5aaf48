"""Questions from frames by authors: ways to ask one thing, with slots that are filled with metrics, years and names."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairs import Rivals

COMPANIES = (
    "Nordhafen", "Alvera Foods", "Tessin Water Group", "Brightwell Logistics", "Orvane Energy", "Kestrel Steel",
    "Lumea Retail", "Halden Chemicals", "Varga Bank", "Polaris Waste Services", "Mirano Foods plc", "the group",
    "our company", "Selkirk Holdings", "Aurenta AG",
)  # fmt: skip
SITES = (
    "Lyon", "Graz", "the Rotterdam plant", "Porto", "Site B", "the Leeds warehouse", "Gdansk", "Turin",
    "the Monterrey factory", "Osaka",
)  # fmt: skip
YEARS = ("{}", "{}", "{}", "FY{}", "FY {}", "financial year {}")
#: How often a question has no right one among the stored, as in a cache.
WITHOUT_RIGHT = 0.25


@dataclass
class Frames:
    """One author's frames and metrics, by id."""

    frames: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, file: Path) -> Frames:
        """From an author's file."""
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(*({one["id"]: one for one in found[name]} for name in ("frames", "metrics")))

    def rivals(self, count: int, draw: random.Random) -> Iterator[Rivals]:
        """Lists: another wording of the same, beside a like frame, a like metric and another year, company or site."""
        for _ in range(count):
            frame, metric = (draw.choice(list(of.values())) for of in (self.frames, self.metrics))
            filling = Filling.drawn(draw)
            asked = filling.ask(frame, metric, draw)
            wordings = [filling.ask(frame, metric, draw) for _ in range(4)]
            others = [wording for wording in wordings if wording.casefold() != asked.casefold()]
            right = others[0] if others and draw.random() >= WITHOUT_RIGHT else None
            wrong = []
            like = draw.choice([self.frames[name] for name in frame["near"] if name in self.frames] or [frame])
            if like is not frame:
                wrong.append(filling.ask(like, metric, draw))
            like = draw.choice([self.metrics[name] for name in metric["near"] if name in self.metrics] or [metric])
            if like is not metric and "{metric}" in frame["wordings"][0]:
                wrong.append(filling.ask(frame, like, draw))
            changed = filling.changed(frame, draw)
            if changed is not None:
                wrong.append(changed.ask(frame, metric, draw))
            if wrong:
                yield Rivals(asked, right, wrong)


@dataclass(frozen=True)
class Filling:
    """What stands in the slots."""

    year: int
    other_year: int
    year_form: str
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def drawn(cls, draw: random.Random) -> Filling:
        """At random."""
        year = draw.randint(2016, 2031)
        names = {"company": draw.choice(COMPANIES), "site": draw.choice(SITES)}
        return cls(year, year + draw.choice((-1, -1, -2, -3, 1, 5)), draw.choice(YEARS), names)

    def ask(self, frame: dict[str, Any], metric: dict[str, Any], draw: random.Random) -> str:
        """A wording of a frame with these values, at times in small letters or without a mark at its end."""
        names = metric["names"]
        slots = {
            "metric": draw.choice(names) if draw.random() < 0.6 else names[0],
            "year": self.year_form.format(self.year),
            "year2": self.year_form.format(self.other_year),
        }
        question: str = draw.choice(frame["wordings"]).format(**slots, **self.names)
        manner = draw.random()
        if manner < 0.15:
            question = question.lower()
        return question.rstrip("?.!") if manner < 0.3 else question

    def changed(self, frame: dict[str, Any], draw: random.Random) -> Filling | None:
        """With another value in a slot that the frame has."""
        slot = draw.choice(("year", "company", "site"))
        if f"{{{slot}}}" not in frame["wordings"][0]:
            return None
        if slot == "year":
            by = draw.choice((-1, 1, 2))
            return Filling(self.year + by, self.other_year + by, self.year_form, self.names)
        pool = [name for name in (COMPANIES if slot == "company" else SITES) if name != self.names[slot]]
        return Filling(self.year, self.other_year, self.year_form, self.names | {slot: draw.choice(pool)})
