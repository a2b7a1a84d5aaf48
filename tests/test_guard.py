"""Guards through Python: what they hold of any two questions, on labelled pairs, and what users add."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import runpy
from itertools import combinations
from pathlib import Path

import headrace
import pytest
from headrace import embedders
from headrace.errors import ConfigError
from headrace.guards import guards
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("wordllama", reason="needs headrace[static]")
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def standard():
    return guards()


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=80))
def test_a_question_asks_what_it_asks(standard, text):
    verdict = standard.compare(text, text)
    assert verdict.passed
    assert verdict.agreement == 1


@settings(max_examples=300, deadline=None)
@given(one=st.text(max_size=60), other=st.text(max_size=60))
def test_the_order_of_the_two_does_not_matter(standard, one, other):
    assert standard.compare(one, other).passed == standard.compare(other, one).passed


def serve(rows):
    """Store one question a group and ask the others; a question alone in its group must find nothing."""
    groups = {}
    for row in rows:
        groups.setdefault(row["group_a"], set()).add(row["a"])
        groups.setdefault(row["group_b"], set()).add(row["b"])
    cache, asked, stored = headrace.SemanticCache(embedders.static()), {}, set()
    for group, questions in sorted(groups.items()):
        first, *rest = sorted(questions, key=lambda question: hashlib.sha256(question.encode()).digest())
        if rest:
            cache.put(first, group)
            stored.add(group)
        asked.update((question, group) for question in rest or [first])
    hits = {question: hit for question in asked if (hit := cache.get(question)) is not None}
    right = sum(hit.response == asked[question] for question, hit in hits.items())
    possible = sum(group in stored for group in asked.values())
    return right / possible, (len(hits) - right) / len(asked)


def test_esg_questions_are_served_rightly_by_default():
    with (DATA / "esg_question_pairs.csv").open(newline="") as file:
        coverage, false = serve(list(csv.DictReader(file)))
    assert coverage >= 0.85
    assert false == 0


def test_traps_of_everyday_questions_are_refused(standard):
    rows = [json.loads(line) for line in (DATA / "fow_pairs_600.jsonl").read_text().splitlines()]
    passed = {
        label: [standard.compare(row["a"], row["b"]).passed for row in rows if row["label"] == label]
        for label in (0, 1)
    }
    assert len(passed[0]) == len(passed[1]) == 300
    assert sum(passed[0]) <= 3
    assert sum(passed[1]) >= 100


def lines(name):
    return [[part.strip() for part in line.split("|")] for line in (DATA / name).read_text().splitlines()]


def test_wordings_of_one_question_pass_and_no_other_does(standard):
    groups = lines("esg_wordings.txt")
    within = [standard.compare(one, other).passed for group in groups for one, other in combinations(group, 2)]
    across = [
        (one, other)
        for group, others in combinations(groups, 2)
        for one in group
        for other in others
        if standard.compare(one, other)
    ]
    assert sum(within) >= 0.8 * len(within)
    assert across == []


def test_a_word_more_is_another_question(standard):
    passed = [pair for pair in lines("esg_near_misses.txt") if standard.compare(*pair)]
    assert len(passed) <= 1, passed


def test_one_thing_apart_is_another_question(standard):
    """Pairs that one word or relation sets apart, half of them reworded."""
    passed = [pair for pair in lines("esg_one_word_apart.txt") if standard.compare(*pair)]
    assert len(passed) <= 8, passed


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("sixteenth", 0.85),
        ("nineteenth", 0.70),
        ("twenty-first", 0.45),
        ("twenty-fourth", 0.85),
        ("twenty-ninth", 0.60),
    ],
)
def test_questions_of_other_authors(name, least):
    """In the register of reports, of words that must not be confused, and of a chat."""
    made = runpy.run_path(str(DATA.parents[1] / "benches" / "quality" / "esg_pairs.py"))
    coverage, false = serve(made["pairs"](made["SETS"][name], seed=0))
    assert coverage >= least
    assert false <= 0.002


@pytest.mark.parametrize(
    ("asked", "stored", "reason"),
    [
        ("Acme scope 1 emissions 2024", "Acme scope 1 emissions 2023", "year 2024 differs from 2023"),
        ("Electricity of Lyon in kWh", "Electricity of Lyon in MWh", "unit kWh differs from MWh"),
        ("Is it safe?", "Is it unsafe?", "polarity: “safe” is the opposite of “unsafe”"),
        ("Lyon water use", "Porto water use", "name “Lyon” is asked about, the stored question does not say it"),
    ],
)
def test_a_verdict_says_why(standard, asked, stored, reason):
    verdict = standard.compare(asked, stored)
    assert not verdict
    assert verdict.reason == reason
    assert repr(verdict) == f"Verdict(blocked: {reason})"


def test_synonyms_by_word_vectors_and_other_things_not(standard):
    assert standard.compare("How do I delete a picture?", "How do I remove a photo?")
    assert not standard.compare("Is there a cat in the picture?", "Is there a dog in the picture?")


def test_what_the_guards_read(standard):
    assert standard.describe("Scope 1 emissions of Acme in 2023?") == [
        "scope 1",
        "year 2023",
        "minor word emissions",
        "name Acme",
    ]


def test_own_terms_patterns_synonyms_and_checks():
    own = guards(
        synonyms=[["drawdown", "sump level"]],
        terms={"mill": ["Upper Mill", "Lower Mill"]},
        patterns={"ticket": r"case-(\w+)"},
        checks=[lambda asked, stored: "tone differs" if asked.endswith("!") != stored.endswith("!") else None],
    )
    assert own.compare("What is the drawdown?", "What is the sump level?")
    assert own.compare("Upper Mill energy", "Lower Mill energy").reason == "mill Upper Mill differs from Lower Mill"
    assert own.compare("See case-ab", "See case-cd").reason == "ticket ab differs from cd"
    assert own.compare("Emissions!", "Emissions").reason == "tone differs"
    with pytest.raises(ConfigError, match="no regular expression"):
        guards(patterns={"bad": "("})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"terms": {"mill": "Upper Mill"}}, r"terms\['mill'\] is 'Upper Mill'"),
        ({"terms": [("mill", ["Upper Mill"])]}, "terms is .*: give a dict"),
        ({"terms": "mill"}, "terms is 'mill'"),
        ({"terms": {"mill": [1]}}, r"terms\['mill'\]\[0\] is 1"),
        ({"terms": {"mill": [""]}}, r"terms\['mill'\]\[0\] is ''"),
        ({"terms": {"mill": []}}, r"terms\['mill'\] has 0 texts"),
        ({"terms": {"mill": None}}, r"terms\['mill'\] is None"),
        ({"terms": {"mill": {"a": "b"}}}, r"terms\['mill'\] is \{'a': 'b'\}"),
        ({"terms": {1: ["a"]}}, "slot named 1"),
        ({"terms": {" ": ["a"]}}, "slot named ' '"),
        ({"synonyms": ["TRIR", "recordable injury rate"]}, r"synonyms\[0\] is 'TRIR'"),
        ({"synonyms": "TRIR"}, "synonyms is 'TRIR'"),
        ({"synonyms": {"TRIR": ["recordable injury rate"]}}, "synonyms is "),
        ({"synonyms": [["TRIR"]]}, r"synonyms\[0\] has 1 texts"),
        ({"synonyms": [["TRIR", None]]}, r"synonyms\[0\]\[1\] is None"),
        ({"synonyms": 3}, "synonyms is 3"),
        ({"patterns": [("ticket", "a")]}, "patterns is "),
        ({"patterns": {"ticket": ["a"]}}, r"patterns\['ticket'\] is \['a'\]"),
        ({"patterns": {"ticket": ""}}, r"patterns\['ticket'\] is ''"),
        ({"checks": ["a"]}, r"checks\[0\] is 'a'"),
        ({"checks": print}, "checks is "),
    ],
)
def test_another_shape_is_named_and_refused(given, named):
    with pytest.raises(ConfigError, match=named):
        guards(**given)


def test_the_shapes_that_are_right_are_taken():
    own = guards(synonyms=(("drawdown", "sump level"),), terms={"mill": ("Upper Mill", "Lower Mill")})
    assert own.compare("What is the drawdown?", "What is the sump level?")
    assert not own.compare("Upper Mill energy", "Lower Mill energy")
    assert guards(synonyms=iter([["drawdown", "sump level"]]), terms=None, patterns=None, checks=())


def test_a_check_that_fails_blocks():
    own = guards(checks=[lambda asked, stored: 1 / 0])
    assert "ZeroDivisionError" in own.compare("a question", "a question").reason


def test_survives_pickle():
    own = pickle.loads(pickle.dumps(guards(terms={"mill": ["Upper Mill", "Lower Mill"]})))
    assert own.compare("Upper Mill energy", "Lower Mill energy").reason == "mill Upper Mill differs from Lower Mill"
