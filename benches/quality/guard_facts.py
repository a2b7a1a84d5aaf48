"""Says what each slot of the guards is worth in front of somebody who reads the wording (a verifier).

Questions by hand, in groups of one meaning, with the groups that look alike (`questions/README.md`): how many pairs of one
group the facts block (each costs an answer that was there), and how many pairs of look-alikes (each may save a wrong one).
For each slot: the pairs in which both questions name a value that the other lacks ("rival"), one names more than the
other ("part"), or one leaves it out ("alone"). Only sets that teach: what judges is not looked at.

Usage: guard_facts.py SET.json ... [--show SLOT] [--kinds]
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

from headrace.guards import guards

HOW = ("rival", "part", "alone")
#: So many pairs of two groups that look alike are drawn.
LOOK_ALIKES = 3


def pairs(path: Path, draw: random.Random) -> list[tuple[str, str, bool, str]]:
    """Two questions each, whether they ask the same, and in what the two differ by their author's word."""
    groups = {group["group"]: group for group in json.loads(path.read_text(encoding="utf-8"))}
    rows = []
    for name, group in groups.items():
        rows += [(one, other, True, "") for one, other in itertools.combinations(group["questions"], 2)]
        for near in (groups[near] for near in group.get("near", ()) if near in groups and near > name):
            both = list(itertools.product(group["questions"], near["questions"]))
            kind = near.get("kind", "")
            rows += [(one, other, False, kind) for one, other in draw.sample(both, min(LOOK_ALIKES, len(both)))]
    return rows


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--show", help="print right pairs that this slot blocks")
    parser.add_argument("--kinds", action="store_true", help="look-alikes blocked, by their author's kind")
    given = parser.parse_args()
    standard, draw = guards(), random.Random(1)
    blocked, total = Counter[bool](), Counter[bool]()
    kinds, of_kind, slots = Counter[str](), Counter[str](), defaultdict[str, Counter[tuple[bool, str]]](Counter)
    for path in given.sets:
        rows = pairs(path, draw)
        here = Counter[bool]()
        for one, other, is_same, kind in rows:
            reason, differences = standard._facts(one, other)
            total[is_same] += 1
            here[is_same] += reason is not None
            kinds[kind] += reason is not None
            of_kind[kind] += 1
            for slot, how in differences:
                slots[slot][is_same, how] += 1
            if is_same and reason is not None and given.show and reason.startswith(given.show):
                print(f"{reason}\n    {one}\n    {other}")
        of = Counter(is_same for _, _, is_same, _ in rows)
        blocked += here
        print(f"{path.stem:14} right blocked {here[True]} of {of[True]}, alike blocked {here[False]} of {of[False]}")
    for is_same, name in ((True, "right"), (False, "alike")):
        print(f"{name} pairs blocked: {blocked[is_same]} of {total[is_same]} ({blocked[is_same] / total[is_same]:.4f})")
    print(f"{'slot':26}" + "".join(f"{f'{who} {how}':>14}" for who in ("right", "alike") for how in HOW))
    for slot, counts in sorted(slots.items(), key=lambda item: -item[1][False, "rival"]):
        print(f"{slot:26}" + "".join(f"{counts[same, how]:14}" for same in (True, False) for how in HOW))
    if given.kinds:
        for kind, count in of_kind.most_common():
            if kind:
                print(f"{kind:40} {kinds[kind]} of {count}")


if __name__ == "__main__":
    main()
