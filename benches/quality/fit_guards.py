"""Fits the guards' weighing of wordings (`src/cache/guard/evidence.rs`), and says how well it does on unseen questions.

Wordings of one question are to pass. To be blocked are the other questions of the same set that are near enough to be
candidates, wordings of any two questions about the same company, site and year (hard ones: nothing but what is asked for
sets them apart), questions with a phrase more ("… from coal"), and the pairs of `tests/data` that are known to differ.
Cross-validated over sets of questions, never over wordings of one question. Questions of another field, in columns text
and category, teach it what words do where nothing is named (Banking77 was given).

Usage: fit_guards.py [--least 0.45] [--intents QUESTIONS.csv ...]    needs numpy and scikit-learn; prints the constants to copy.
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

import esg_pairs
import numpy as np
from headrace import embedders
from headrace.guards import guards
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "tests" / "data"
#: One company, site, year and month for all, so that only what is asked for differs.
SAME = {"co": "Kestrel Mining", "c": "Kestrel Mining", "site": "Antwerp", "y": "2023", "ty": "2030", "q": "Q2"}
#: The questions of other languages are compared by letters.
LEFT_OUT = {"eighteenth", "german", "french", "spanish", "portuguese"}
#: Pairs of templates that ask the same, by a wording of each.
EQUAL = [
    ("What was the average age of employees at {c} in {y}?", "What is the average age of {c}'s employees in {y}?"),
    ("Which sites are certified to ISO 14001?", "Which plants are certified to ISO 14001?"),
    ("Which sites are certified to ISO 50001?", "Which plants are certified to ISO 50001?"),
    ("What was employee turnover at {c} in {y}?", "{c} leavers {y}"),
]
PHRASES = [
    "from coal",
    "for contractors",
    "of female staff",
    "in Asia",
    "by air",
    "from leased buildings",
    "at headquarters",
    "for new products",
    "due to fires",
    "caused by theft",
    "under warranty",
    "for students",
    "from imports",
    "for night shifts",
    "of subsidiaries",
    "per employee",
    "from biogas",
    "abroad",
    "in rural areas",
    "for children",
    "from suppliers",
    "of executives",
    "during the strike",
    "for packaging",
    "in protected areas",
    "by truck",
    "from farming",
    "after the merger",
    "on holidays",
    "for households",
    "with disabilities",
    "for training",
]
#: Words of one field are so much alike, by the cosine of their vectors.
FIELD = (0.12, 0.36)
#: Words that ask, and are no part of what is asked for.
SMALL = {
    *("which", "there", "their", "about", "during", "total", "amount", "number", "please", "report", "reported"),
    *("using", "give", "tell", "many", "much"),
}
#: How much a pair of each source counts: a word of the field may be a synonym by chance.
COUNTS = {
    "sets": 1.0,
    "wordings": 1.0,
    "phrase more": 0.6,
    "word swapped": 0.1,
    "near": 3.0,
    "everyday": 2.0,
    "intents": 0.3,
}
#: Two questions of one intent need not ask the same.
SAME_INTENT = 0.1
#: A wrong answer costs so many times what a call costs.
WRONG = 4.0
#: Of the many pairs of any two questions this share is taken.
OTHERS = 0.15


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[0].upper() + text[1:]


def questions() -> list[list[str]]:
    """The wordings of each question."""
    found = []
    sets = json.loads((HERE / "esg_templates.json").read_text(encoding="utf-8"))
    draw = random.Random(1)
    for name, intents in sets.items():
        for intent, template in intents.items():
            if LEFT_OUT & {name, intent}:
                continue
            free = {slot: values for slot, values in template["slots"].items() if slot not in SAME or slot == "c"}
            cells = list(itertools.product(*free.values()))[:12]
            draw.shuffle(cells)
            for cell in cells[:4]:
                values = SAME | dict(zip(free, cell, strict=True))
                found.append([capital(wording.format(**values)) for wording in template["wordings"]])
    text = (HERE / "guard_training.txt").read_text(encoding="utf-8")
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line.startswith("#")]
        found.append([capital(line.format(s=SAME["site"], **SAME)) for line in lines])
    return found


def merged(found: list[list[str]]) -> list[int]:
    """For each question, the first one that asks the same: one with a wording in common, or known to be equal."""
    first: dict[str, int] = {}
    owner = list(range(len(found)))

    def root(place: int) -> int:
        while owner[place] != place:
            place = owner[place]
        return place

    for place, wordings in enumerate(found):
        for wording in wordings:
            owner[root(place)] = root(first.setdefault(wording.lower(), place))
    for one, other in EQUAL:
        names = [capital(text.format(**SAME)).lower() for text in (one, other)]
        owner[root(first[names[0]])] = root(first[names[1]])
    return [root(place) for place in range(len(found))]


def swapped(asked: list[tuple[str, int]], draw: random.Random) -> list[tuple[str, str, int]]:
    """A wording, and another of the same question with a word of its field in the place of one of its words."""
    words = sorted({word for text, _ in asked for word in re.findall(r"\b[a-z]{5,}\b", text)} - SMALL)
    vectors = np.asarray(embedders.static()(words))
    alike = vectors @ vectors.T
    place = {word: number for number, word in enumerate(words)}
    found = []
    for root in sorted({root for _, root in asked}):
        wordings = [text for text, other in asked if other == root]
        for one, other in itertools.permutations(wordings, 2):
            known = [word for word in re.findall(r"\b[a-z]{5,}\b", other) if word in place]
            if not known:
                continue
            word = draw.choice(known)
            row = alike[place[word]]
            field = [near for near, cosine in zip(words, row, strict=True) if FIELD[0] < cosine < FIELD[1]]
            if field and word in one:
                found.append((one, other.replace(word, draw.choice(field)), root))
    return found


def candidates() -> list[tuple[str, str, bool, str, str]]:
    """Of each set, the questions asked and those stored that a cache would look at."""
    rows = []
    for name, intents in json.loads((HERE / "esg_templates.json").read_text(encoding="utf-8")).items():
        groups: dict[str, set[str]] = {}
        for row in esg_pairs.pairs(intents, seed=0):
            for side in "ab":
                groups.setdefault(row[f"group_{side}"], set()).add(row[side])
        asked = [(text, group) for group, texts in sorted(groups.items()) for text in sorted(texts)]
        vectors = np.asarray(embedders.static()([text for text, _ in asked]))
        near = vectors @ vectors.T >= 0.5
        for i, j in itertools.combinations(range(len(asked)), 2):
            if near[i, j]:
                rows.append((asked[i][0], asked[j][0], asked[i][1] == asked[j][1], "sets", name))
    return rows


def of_intents(files: list[Path], draw: random.Random) -> list[tuple[str, str, bool, str, str]]:
    """Candidates among questions with an intent each, of any field."""
    asked = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            asked += [(row["text"].strip(), row["category"]) for row in csv.DictReader(lines)]
    asked = draw.sample(asked, min(3000, len(asked)))
    if not asked:
        return []
    vectors = np.asarray(embedders.static()([text for text, _ in asked]))
    one, other = np.nonzero(np.triu(vectors @ vectors.T >= 0.5, 1))
    chosen = draw.sample(range(len(one)), min(40_000, len(one)))
    found = [(asked[one[k]], asked[other[k]]) for k in chosen]
    return [(a, b, mine == theirs, "intents", mine) for (a, mine), (b, theirs) in found]


def pairs(intents: list[Path]) -> list[tuple[str, str, bool, str, str]]:
    """Pairs of questions: whether they ask the same, their source, and what they are left out with in fitting."""
    found = questions()
    roots = merged(found)
    asked = [(text, root) for wordings, root in zip(found, roots, strict=True) for text in wordings]
    vectors = np.asarray(embedders.static()([text for text, _ in asked]))
    near = vectors @ vectors.T >= 0.45
    draw = random.Random(3)
    rows = candidates()
    for i, j in itertools.combinations(range(len(asked)), 2):
        same = asked[i][1] == asked[j][1]
        if same or (near[i, j] and draw.random() < OTHERS):
            rows.append((asked[i][0], asked[j][0], same, "wordings", f"question {asked[i][1]}"))
    for text, root in asked:
        bare = text.rstrip(".?")
        for phrase in draw.sample(PHRASES, 2):
            rows.append((text, f"{bare} {phrase}", False, "phrase more", f"question {root}"))
    rows += [(one, text, False, "word swapped", f"question {root}") for one, text, root in swapped(asked, draw)]
    for name in ("esg_near_misses.txt", "esg_one_word_apart.txt"):
        for line in (DATA / name).read_text(encoding="utf-8").splitlines():
            one, other = line.split("|")
            rows.append((one.strip(), other.strip(), False, "near", one))
    for line in (DATA / "fow_pairs_600.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows.append((row["a"], row["b"], row["label"] == 1, "everyday", row["a"]))
    return rows + of_intents(intents, draw)


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--least", type=float, default=0.45)
    parser.add_argument("--intents", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    least = given.least
    standard = guards()
    compared = [
        (row, evidence) for row in pairs(given.intents) if (evidence := standard._evidence(row[0], row[1])) is not None
    ]
    x = np.array([evidence for _, evidence in compared])
    y = np.array([row[2] for row, _ in compared])
    source = np.array([row[3] for row, _ in compared])
    worth = [SAME_INTENT if row[2] and row[3] == "intents" else COUNTS[row[3]] for row, _ in compared]
    count = np.array([weight * (1.0 if row[2] else WRONG) for weight, (row, _) in zip(worth, compared, strict=True)])
    left_out = np.array([row[4] for row, _ in compared])
    spread = x.std(axis=0)

    def fit(of: Any) -> LogisticRegression:
        return LogisticRegression(max_iter=5000).fit(x[of] / spread, y[of], sample_weight=count[of])

    fold = dict(zip(np.unique(left_out), itertools.cycle(range(5)), strict=False))
    folds = np.vectorize(fold.get)(left_out)
    chance = np.zeros(len(y))
    for number in range(5):
        test = folds == number
        chance[test] = fit(~test).predict_proba(x[test] / spread)[:, 1]
    print(f"questions unseen in fitting, passed from a chance of {least}:")
    for name in COUNTS:
        for same in (True, False):
            those = (source == name) & (y == same)
            if those.any():
                passed = int((chance[those] >= least).sum())
                print(f"  {name}, {'same' if same else 'another'}: {passed} of {int(those.sum())}")
    model = fit(slice(None))
    print("WEIGHTS =", ", ".join(f"{weight:.2f}" for weight in model.coef_[0] / spread))
    print(f"OFFSET = {model.intercept_[0]:.2f}")


if __name__ == "__main__":
    main()
