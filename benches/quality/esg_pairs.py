"""Writes ESG question pairs from templates: paraphrases, and near misses that differ in one slot.

Every intent has several wordings and slots with values. A group is an intent with its values; its questions are the
wordings. Two halves: ``dev`` was looked at while the guards were written, ``test`` was not.

Usage: esg_pairs.py dev|test OUT.csv [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import re
from pathlib import Path

COMPANY = ["Borealis Paper", "Halcyon Foods", "Vestra Logistics", "Meridian Chemicals", "Tamarack Bank", "Quillon AG"]
SITE = ["Rotterdam", "Monterrey", "Pune", "Gdansk", "Tacoma", "Busan"]
YEAR = ["2019", "2020", "2022", "2025"]
QUARTER = ["Q1", "Q2", "Q3", "Q4"]
CATEGORY = ["1", "4", "6", "7", "11", "15"]
TARGET_YEAR = ["2030", "2035", "2040", "2050"]
PERCENT = ["20", "35", "46", "55"]

DEV = {
    "scope3cat": (
        [
            "What were {co}'s scope 3 category {cat} emissions in {y}?",
            "{co}: category {cat} scope 3 emissions for {y}",
            "How much CO2e did {co} report under scope 3 category {cat} for fiscal year {y}?",
        ],
        {"co": COMPANY, "cat": CATEGORY, "y": YEAR},
    ),
    "paygap": (
        [
            "What is the gender pay gap at {co} in {y}?",
            "How large was {co}'s gender pay gap in {y}?",
            "Give the {y} gender wage gap of {co}.",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "board": (
        [
            "What percentage of {co}'s board members are {g}?",
            "Share of {g} on the board of {co}",
            "What proportion of {co}'s board of directors is {g}?",
        ],
        {"co": COMPANY, "g": ["women", "independent"]},
    ),
    "trir": (
        [
            "What was the TRIR at the {site} site in {y}?",
            "Total recordable injury rate of {site} for {y}",
            "Tell me the {y} total recordable incident rate in {site}.",
        ],
        {"site": SITE, "y": YEAR},
    ),
    "sbti": (
        [
            "Has {co} had its {t} target validated by the SBTi?",
            "Is {co}'s {t} target approved by SBTi?",
            "Did the SBTi validate the {t} target of {co}?",
        ],
        {"co": COMPANY, "t": ["near-term", "long-term", "net-zero"]},
    ),
    "esrs": (
        [
            "What does ESRS {dp} require?",
            "Explain disclosure requirement ESRS {dp}.",
            "Which information has to be disclosed under ESRS {dp}?",
        ],
        {"dp": ["E1-6", "E1-7", "S1-16", "G1-4", "E3-4", "E5-5"]},
    ),
    "audit": (
        [
            "How many suppliers were audited in {y}?",
            "Number of supplier audits carried out in {y}",
            "What was the count of audited suppliers in {y}?",
        ],
        {"y": YEAR},
    ),
    "waterstress": (
        [
            "How much water did {site} withdraw from areas of water stress in {y}?",
            "Water withdrawal in water-stressed areas at {site}, {y}",
            "What volume of water was withdrawn in water stress regions by {site} during {y}?",
        ],
        {"site": SITE, "y": YEAR},
    ),
    "renew": (
        [
            "What share of {co}'s electricity was renewable in {y}?",
            "{y} renewable electricity share of {co}",
            "What percentage of the electricity used by {co} in {y} came from renewable sources?",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "fleet": (
        [
            "How many {v} vehicles were in the {co} fleet in {y}?",
            "Number of {v} vehicles in {co}'s fleet, {y}",
            "{co} fleet: count of {v} vehicles at the end of {y}",
        ],
        {"v": ["electric", "diesel", "hybrid"], "co": COMPANY[:3], "y": YEAR},
    ),
    "whychange": (
        [
            "Why did water use at {site} {d} in {y}?",
            "What caused the {d} in water consumption at {site} in {y}?",
            "Reasons for the {y} {d} of water usage in {site}",
        ],
        {"site": SITE, "d": ["increase", "decrease"], "y": YEAR},
    ),
    "gas": (
        [
            "How many tonnes of {gas} did {site} emit in {q} {y}?",
            "{gas} emissions of {site} in tonnes, {q} {y}",
            "What were the {q} {y} {gas} emissions at {site} in t?",
        ],
        {"gas": ["methane", "N2O", "SF6"], "site": SITE[:4], "q": QUARTER, "y": YEAR[:2]},
    ),
}

TEST = {
    "taxonomy": (
        [
            "What share of {co}'s {m} was taxonomy-aligned in {y}?",
            "{co} {y}: taxonomy-aligned {m} share",
            "How much of the {m} of {co} was aligned with the EU taxonomy in {y}?",
        ],
        {"co": COMPANY, "m": ["turnover", "CapEx", "OpEx"], "y": YEAR},
    ),
    "offset": (
        [
            "How many carbon credits did {co} retire in {y}?",
            "Number of carbon credits retired by {co} in {y}",
            "What quantity of carbon offsets was retired by {co} during {y}?",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "intensity": (
        [
            "What was the emissions intensity of {co} per {u} of product in {y}?",
            "{co} {y} GHG intensity per {u} produced",
            "Give me {co}'s GHG emission intensity per {u} of output for {y}",
        ],
        {"co": COMPANY, "u": ["tonne", "kg", "m3"], "y": YEAR},
    ),
    "training": (
        [
            "How many hours of {t} training did employees at {site} receive in {y}?",
            "{t} training hours per employee in {site}, {y}",
            "What was the number of {t} training hours for the {site} workforce in {y}?",
        ],
        {"t": ["anti-corruption", "safety", "cybersecurity"], "site": SITE, "y": YEAR},
    ),
    "turnover": (
        [
            "What was employee turnover at {co} in {y}?",
            "Staff attrition rate of {co} for {y}",
            "{y} employee turnover rate, {co}",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "biodiversity": (
        [
            "Which sites of {co} are {w} protected areas?",
            "List the {co} sites located {w} protected areas.",
            "What facilities does {co} operate {w} protected areas?",
        ],
        {"co": COMPANY, "w": ["inside", "adjacent to", "outside"]},
    ),
    "netzero": (
        [
            "By how much will {co} reduce {s} emissions by {ty}?",
            "What is {co}'s {ty} reduction target for {s} emissions?",
            "{co}: {s} emission reduction goal for {ty}",
        ],
        {"co": COMPANY, "s": ["scope 1", "scope 2", "scope 3"], "ty": TARGET_YEAR},
    ),
    "pctgoal": (
        [
            "Has {co} committed to a {p}% cut in emissions by {ty}?",
            "Did {co} pledge to cut emissions {p} percent by {ty}?",
            "Is there a commitment of {co} to reduce emissions by {p}% until {ty}?",
        ],
        {"co": COMPANY, "p": PERCENT, "ty": TARGET_YEAR},
    ),
    "howto": (
        [
            "How do I calculate {x} emissions?",
            "What are the steps to calculate {x} emissions?",
            "Walk me through the calculation of {x} emissions",
        ],
        {"x": ["business travel", "employee commuting", "purchased goods", "refrigerant", "upstream transport"]},
    ),
    "definition": (
        ["What is meant by {x}?", "Define {x}.", "What is the definition of {x}?"],
        {"x": ["double materiality", "financial materiality", "due diligence", "just transition", "carbon leakage"]},
    ),
    "iso": (
        [
            "Which sites are certified to ISO {n}?",
            "List our ISO {n} certified sites",
            "What facilities hold an ISO {n} certificate?",
        ],
        {"n": ["14001", "45001", "50001", "9001"]},
    ),
    "incl": (
        [
            "What are total emissions {w} biogenic CO2 in {y}?",
            "{y} total emissions {w} biogenic CO2",
            "Give total {y} emissions, {w} biogenic CO2",
        ],
        {"w": ["including", "excluding"], "y": YEAR},
    ),
    "deadline": (
        [
            "When must {co} publish its first {r} report?",
            "What is the deadline for {co}'s first {r} report?",
            "By which date does {co} have to publish a first {r} report?",
        ],
        {"co": COMPANY, "r": ["CSRD", "TNFD", "CBAM"]},
    ),
    "heat": (
        [
            "How much district heating in {u} did the {site} building use in {m} {y}?",
            "District heating consumption of the building in {site}, {m} {y}, in {u}",
            "What was the {site} building's use of district heating in {m} {y} ({u})?",
        ],
        {"u": ["kWh", "MWh", "GJ"], "site": SITE[:4], "m": ["March", "June", "November"], "y": YEAR[:2]},
    ),
    "who": (
        [
            "Who is responsible for {x} at {co}?",
            "Which person at {co} is responsible for {x}?",
            "Who at {co} has responsibility for {x}?",
        ],
        {"x": ["climate risk", "human rights", "data privacy"], "co": COMPANY},
    ),
    "german": (
        [
            "Wie hoch waren die Scope-{n}-Emissionen von {co} im Jahr {y}?",
            "Scope-{n}-Emissionen von {co} in {y}?",
            "Nenne die Scope {n} Emissionen von {co} für {y}.",
        ],
        {"n": ["1", "2", "3"], "co": COMPANY, "y": YEAR},
    ),
    "french": (
        [
            "Quelles étaient les émissions de scope {n} de {co} en {y} ?",
            "Émissions de scope {n} de {co} en {y}",
            "Donne les émissions scope {n} de {co} pour {y}",
        ],
        {"n": ["1", "2", "3"], "co": COMPANY[:3], "y": YEAR},
    ),
    "cost": (
        [
            "How much did {co} spend on {x} in {y}, in {c}?",
            "{co} {y} spending on {x} in {c}",
            "What was {co}'s {y} expenditure for {x} in {c}?",
        ],
        {
            "co": COMPANY[:3],
            "x": ["waste treatment", "environmental fines", "energy efficiency"],
            "y": YEAR,
            "c": ["EUR", "USD"],
        },
    ),
    "policy": (
        ["Does {co} have a policy on {x}?", "Is there a {x} policy at {co}?", "Has {co} adopted a policy for {x}?"],
        {"co": COMPANY, "x": ["deforestation", "child labour", "tax", "whistleblowing"]},
    ),
    "suppliersnot": (
        [
            "Which suppliers {n} set science-based targets?",
            "List suppliers that {n} set science-based targets",
            "Name the suppliers who {n} set a science-based target",
        ],
        {"n": ["have", "have not"]},
    ),
}


def group(intent: str, values: dict[str, str]) -> str:
    """The name of what is asked."""
    return "|".join([intent, *values.values()])


def pairs(intents: dict[str, tuple[list[str], dict[str, list[str]]]], seed: int) -> list[dict[str, str]]:
    """Up to a dozen paraphrases, and for each slot up to a dozen near misses, an intent."""
    draw = random.Random(seed)
    rows = []
    for intent, (wordings, slots) in intents.items():
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
    parser.add_argument("half", choices=["dev", "test"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = pairs(DEV if given.half == "dev" else TEST, given.seed)
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} pairs in {len({row['group_a'] for row in rows} | {row['group_b'] for row in rows})} groups")


if __name__ == "__main__":
    main()
