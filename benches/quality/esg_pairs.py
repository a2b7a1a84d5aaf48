"""Writes ESG question pairs from templates: paraphrases, and near misses that differ in one slot.

Every intent has several wordings and slots with values. A group is an intent with its values; its questions are the
wordings. Four sets of intents, written one after the other: each was measured unseen first, then learned from, so that
the last one's first figure says most about questions that nobody has seen (docs/cache-quality.md has all of them).

Usage: esg_pairs.py first|second|third|fourth OUT.csv [--seed 0]
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

FIRST = {
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

SECOND = {
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


THIRD = {
    "wastekg": (
        [
            "How many kilograms of hazardous waste did {site} generate in {y}?",
            "Hazardous waste generated at {site} in {y}, in kg",
            "What was the amount of hazardous waste produced by {site} in {y} (kg)?",
        ],
        {"site": SITE, "y": YEAR},
    ),
    "fatal": (
        [
            "Were there any fatalities at {co} in {y}?",
            "Did {co} have work-related deaths in {y}?",
            "Number of fatalities at {co} in {y}",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "waterunit": (
        [
            "What was {site}'s water consumption in {m} {y} in {u}?",
            "Water consumed in {site} during {m} {y} ({u})",
            "How many {u} of water did {site} consume in {m} {y}?",
        ],
        {
            "site": SITE,
            "m": ["January", "April", "August", "October"],
            "y": YEAR[:2],
            "u": ["m3", "litres", "megalitres"],
        },
    ),
    "livingwage": (
        [
            "Does {co} pay a living wage to {who}?",
            "Are {who} of {co} paid a living wage?",
            "Is a living wage paid to {who} at {co}?",
        ],
        {"co": COMPANY, "who": ["employees", "contractors"]},
    ),
    "compare": (
        [
            "Is {co}'s carbon footprint in {y} above or below that of {y2}?",
            "Compare {co}'s carbon footprint in {y} with {y2}",
            "How does the {y} carbon footprint of {co} compare to {y2}?",
        ],
        {"co": COMPANY, "y": ["2022", "2023"], "y2": ["2019", "2020"]},
    ),
    "scopedelta": (
        [
            "By what percentage did {co}'s {s} emissions {d} from {y} to 2024?",
            "{co} {s} emissions: percentage {d} between {y} and 2024",
            "What was the percentage {d} in {s} emissions at {co} between {y} and 2024?",
        ],
        {"co": COMPANY, "s": ["scope 1", "scope 3"], "d": ["increase", "decrease"], "y": ["2019", "2021"]},
    ),
    "sasb": (
        [
            "What metrics does SASB {c} contain?",
            "Which metrics are included in SASB {c}?",
            "List the metrics of SASB {c}.",
        ],
        {"c": ["EM-EP-110a.1", "EM-EP-110a.2", "FB-AG-140a.1", "TC-SI-130a.1"]},
    ),
    "ifrs": (
        [
            "What are the main requirements of IFRS {s}?",
            "Summarise the key requirements in IFRS {s}",
            "What does IFRS {s} require companies to do?",
        ],
        {"s": ["S1", "S2"]},
    ),
    "renewtarget": (
        [
            "When will {co} reach {p}% renewable electricity?",
            "By which year does {co} plan to use {p} percent renewable electricity?",
            "{co} target year for {p}% renewable electricity",
        ],
        {"co": COMPANY, "p": ["50", "80", "100"]},
    ),
    "training2": (
        [
            "Average training hours per employee at {co} in {y}",
            "How many hours of training did the average employee of {co} get in {y}?",
            "What were the average hours of training per employee at {co} in {y}?",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "women": (
        [
            "How many {g} work at the {site} plant?",
            "Number of {g} employed in {site}",
            "What is the number of {g} employees at our {site} site?",
        ],
        {"g": ["female", "male"], "site": SITE},
    ),
    "risk": (
        [
            "What {t} risks did {co} identify in its {y} TCFD report?",
            "Which {t} risks are described in {co}'s {y} TCFD report?",
            "List the {t} risks from the TCFD report {y} of {co}",
        ],
        {"t": ["physical", "transition"], "co": COMPANY, "y": YEAR},
    ),
    "logistics": (
        [
            "What are {co}'s emissions from {d} transportation in {y}?",
            "{d} transport emissions of {co} in {y}",
            "How much CO2e came from {d} transportation at {co} in {y}?",
        ],
        {"co": COMPANY, "d": ["upstream", "downstream"], "y": YEAR},
    ),
    "nh3": (
        [
            "Total {gas} released to air at {site} in {y}",
            "How much {gas} did {site} release into the air in {y}?",
            "What was the {y} release of {gas} to air from {site}?",
        ],
        {"gas": ["ammonia", "NOx", "SO2"], "site": SITE, "y": YEAR},
    ),
    "donate": (
        [
            "How much did {co} donate to charity in {y} in {c}?",
            "{co}'s charitable donations in {y} ({c})",
            "What was the total of charitable donations by {co} in {y} in {c}?",
        ],
        {"co": COMPANY, "y": YEAR, "c": ["euros", "dollars", "pounds"]},
    ),
    "approve": (
        [
            "Who approves {co}'s sustainability report?",
            "Which body signs off the sustainability report of {co}?",
            "By whom is {co}'s sustainability report approved?",
        ],
        {"co": COMPANY},
    ),
    "notcert": (
        [
            "Which plants are {n}certified to ISO {i}?",
            "List the plants that are {n}ISO {i} certified",
            "What plants are {n}certified under ISO {i}?",
        ],
        {"n": ["", "not "], "i": ["14001", "50001"]},
    ),
    "limit": (
        [
            "What is the {e} permitted NOx concentration at {site}?",
            "{e} NOx concentration allowed at {site}",
            "Which {e} NOx concentration does the permit of {site} allow?",
        ],
        {"e": ["maximum", "minimum"], "site": SITE},
    ),
    "suppliercat": (
        [
            "What percentage of tier {n} suppliers of {co} were assessed for {x} risk in {y}?",
            "Share of {co}'s tier {n} suppliers assessed for {x} risks in {y}",
            "How many percent of the tier {n} suppliers did {co} screen for {x} risk in {y}?",
        ],
        {"n": ["1", "2"], "co": COMPANY, "x": ["forced labour", "deforestation"], "y": YEAR[:2]},
    ),
    "portuguese": (
        [
            "Qual foi o consumo de energia de {site} em {y}?",
            "Consumo de energia de {site} em {y}",
            "Quanta energia consumiu {site} em {y}?",
        ],
        {"site": SITE, "y": YEAR},
    ),
    "heatpump": (
        [
            "How many buildings at {site} have heat pumps?",
            "Number of {site} buildings with heat pumps",
            "How many of the buildings in {site} are equipped with heat pumps?",
        ],
        {"site": SITE},
    ),
    "ev": (
        [
            "What share of {co}'s company cars were electric in {q} {y}?",
            "Percentage of electric company cars at {co}, {q} {y}",
            "{co}: proportion of company cars that were electric in {q} of {y}",
        ],
        {"co": COMPANY, "q": QUARTER, "y": YEAR[:2]},
    ),
    "firsthalf": (
        [
            "What was {co}'s diesel consumption in the {h} half of {y}?",
            "{co} diesel use, {h} half of {y}",
            "How much diesel did {co} use in the {h} half of {y}?",
        ],
        {"co": COMPANY, "h": ["first", "second"], "y": YEAR},
    ),
    "why2": (
        [
            "Why is {co} not reporting scope 3 category {c}?",
            "What is the reason {co} does not report scope 3 category {c}?",
            "For what reason does {co} not disclose category {c} of scope 3?",
        ],
        {"co": COMPANY, "c": CATEGORY},
    ),
}

FOURTH = {
    "recycle": (
        [
            "What percentage of waste was recycled at {site} in {y}?",
            "{site} recycling rate {y}",
            "How much of the waste from {site} was recycled in {y}, in percent?",
        ],
        {"site": SITE, "y": YEAR},
    ),
    "ltifr": (
        [
            "What was {co}'s lost-time injury frequency rate in {y}?",
            "LTIFR of {co}, {y}",
            "How high was the {y} lost time injury frequency rate at {co}?",
        ],
        {"co": COMPANY, "y": YEAR},
    ),
    "headcount": (
        [
            "How many people did {co} employ in {site} in {y}?",
            "Number of employees of {co} in {site}, {y}",
            "What was {co}'s headcount at {site} in {y}?",
        ],
        {"co": COMPANY[:3], "site": SITE[:3], "y": YEAR},
    ),
    "flights": (
        [
            "What were the emissions from business flights at {co} in {q} {y}?",
            "{co} {q} {y} emissions caused by business air travel",
            "How many tonnes of CO2e did business flights of {co} cause in {q} {y}?",
        ],
        {"co": COMPANY, "q": QUARTER, "y": YEAR[:2]},
    ),
    "nature": (
        [
            "Does {co} report in line with {f}?",
            "Is {co} reporting according to {f}?",
            "Are {co}'s disclosures aligned with {f}?",
        ],
        {"co": COMPANY, "f": ["TNFD", "TCFD", "GRI", "SASB"]},
    ),
    "bond": (
        [
            "How large was the green bond {co} issued in {y} in {c}?",
            "Volume of {co}'s {y} green bond in {c}",
            "What amount of {c} did {co} raise with its {y} green bond?",
        ],
        {"co": COMPANY, "y": YEAR, "c": ["EUR", "USD", "GBP"]},
    ),
    "dp": (
        [
            "Which datapoints are part of ESRS {d}?",
            "List the datapoints of ESRS {d}.",
            "What datapoints does ESRS {d} contain?",
        ],
        {"d": ["E1-5", "E1-9", "S1-6", "S2-4", "G1-1", "E4-2"]},
    ),
    "solar": (
        [
            "How much solar power did {site} generate in {u} in {y}?",
            "Solar electricity generated at {site} in {y} ({u})",
            "What was the {y} solar generation of {site} in {u}?",
        ],
        {"site": SITE, "u": ["kWh", "MWh", "GWh"], "y": YEAR},
    ),
    "whydelta": (
        [
            "Why did {co}'s energy consumption {d} in {y}?",
            "What is the reason for the {d} in energy use at {co} in {y}?",
            "Explain the {y} {d} in {co}'s energy consumption",
        ],
        {"co": COMPANY, "d": ["increase", "decrease"], "y": YEAR},
    ),
    "exclude": (
        [
            "Which subsidiaries are {w} in the {y} sustainability statement?",
            "List the subsidiaries {w} in the sustainability statement {y}",
            "What subsidiaries were {w} in our {y} sustainability statement?",
        ],
        {"w": ["included", "not included"], "y": YEAR},
    ),
    "leave": (
        [
            "How many {g} took parental leave at {co} in {y}?",
            "Number of {g} on parental leave at {co}, {y}",
            "What was the number of {g} who used parental leave in {y} at {co}?",
        ],
        {"g": ["men", "women"], "co": COMPANY, "y": YEAR},
    ),
    "basis": (
        [
            "What are {co}'s {b} scope 2 emissions for {y}?",
            "{co}: scope 2, {b}, {y}",
            "How much were {co}'s scope 2 emissions in {y} on a {b} basis?",
        ],
        {"co": COMPANY, "b": ["location-based", "market-based"], "y": YEAR},
    ),
    "interim": (
        [
            "What is {co}'s interim target for {ty}?",
            "{co} {ty} interim climate target",
            "Which intermediate climate goal has {co} set for {ty}?",
        ],
        {"co": COMPANY, "ty": TARGET_YEAR},
    ),
    "supplier_pct": (
        [
            "Have {p}% of {co}'s suppliers set science-based targets?",
            "Did {p} percent of the suppliers of {co} set science-based targets?",
            "Do {p}% of the suppliers to {co} have science-based targets?",
        ],
        {"p": PERCENT, "co": COMPANY},
    ),
    "cat_calc": (
        [
            "How is scope 3 category {c} calculated?",
            "How do we calculate category {c} of scope 3?",
            "Explain how to calculate scope 3 category {c} emissions",
        ],
        {"c": CATEGORY},
    ),
    "spanish": (
        [
            "¿Cuáles fueron las emisiones de alcance {n} de {co} en {y}?",
            "Emisiones de alcance {n} de {co} en {y}",
            "¿Cuánto emitió {co} en alcance {n} durante {y}?",
        ],
        {"n": ["1", "2"], "co": COMPANY[:3], "y": YEAR},
    ),
    "assurance": (
        [
            "Was {co}'s {y} report assured with {l} assurance?",
            "Did {co} get {l} assurance for its {y} report?",
            "Has the {y} report of {co} received {l} assurance?",
        ],
        {"co": COMPANY, "y": YEAR, "l": ["limited", "reasonable"]},
    ),
    "month_water": (
        [
            "Water use at {site} in {m} {y}",
            "How much water was used in {site} in {m} {y}?",
            "What was {site}'s water consumption for {m} {y}?",
        ],
        {"site": SITE, "m": ["February", "May", "September", "December"], "y": YEAR[:2]},
    ),
}

SETS = {"first": FIRST, "second": SECOND, "third": THIRD, "fourth": FOURTH}


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
