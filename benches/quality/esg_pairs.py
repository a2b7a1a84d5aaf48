"""Writes ESG question pairs from templates: paraphrases, and near misses that differ in one slot.

Every intent has several wordings and slots with values. A group is an intent with its values; its questions are the
wordings. Forty-six sets of intents by several authors, each measured before anybody looked at its misses
(docs/cache-quality.md has the figures).

Usage: esg_pairs.py first|…|forty-sixth OUT.csv [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

SETS = json.loads(Path(__file__).with_name("esg_templates.json").read_text(encoding="utf-8"))


def group(intent: str, values: dict[str, str]) -> str:
    """The name of what is asked."""
    return "|".join([intent, *values.values()])


def pairs(intents: dict[str, Any], seed: int) -> list[dict[str, str]]:
    """Up to a dozen paraphrases, and for each slot up to a dozen near misses, an intent."""
    draw = random.Random(seed)
    rows = []
    for intent, template in intents.items():
        wordings, slots = template["wordings"], template["slots"]
        cells = [dict(zip(slots, values, strict=True)) for values in itertools.product(*slots.values())]
        draw.shuffle(cells)
        for values in cells[:12]:
            one, other = draw.sample(wordings, 2)
            name = group(intent, values)
            rows.append(row(intent, one.format(**values), other.format(**values), "", name, name))
            for slot, choices in slots.items():
                changed = values | {slot: draw.choice([choice for choice in choices if choice != values[slot]])}
                other = draw.choice(wordings)
                near = group(intent, changed)
                rows.append(row(intent, one.format(**values), other.format(**changed), slot, name, near))
    return rows


def row(intent: str, a: str, b: str, changed: str, group_a: str, group_b: str) -> dict[str, str]:
    """A line of the file."""
    a, b = (re.sub(r"^(.)", lambda first: first[1].upper(), text) for text in (a, b))
    return {
        "intent": intent,
        "a": a,
        "b": b,
        "same": str(int(group_a == group_b)),
        "changed": changed,
        "group_a": group_a,
        "group_b": group_b,
    }


def main() -> None:
    """Writes the file that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = pairs(SETS[given.set], given.seed)
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} pairs in {len({row['group_a'] for row in rows} | {row['group_b'] for row in rows})} groups")


if __name__ == "__main__":
    main()
