"""Small edits that leave a question's answer as it is: an article, the place of the year, a slip, a polite word.

Without them a model that has met many traps takes any small difference for one ("What were the emissions in 2024?").
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Edit = Callable[[str, random.Random], str]
ARTICLE = re.compile(r"\b(the|a|an) ", re.I)
BEFORE_ARTICLE = re.compile(
    r"\b(is|are|was|were|of|for|did|do|does) (?!the |a |an |we |our |i |you |it |they )(?=[a-z])"
)
YEAR_AT_END = re.compile(r"(\w.*?) in ((?:FY ?)?\d{4})[?.]$")
LEVEL = re.compile(r"What (was|were) (?:the )?(.+?) (?:in|for) ((?:FY ?|financial year )?\d{4})\?$")
LEVELS = (
    "What did {x} amount to in {y}?", "What did the {x} come to in {y}?", "How high {v} {x} in {y}?",
    "How much {v} {x} in {y}?", "{x} in {y}", "{x} {y}", "Please give me {x} for {y}.",
    "What was the figure for {x} in {y}?", "What {v} the {x} in {y}?", "In {y}, what {v} {x}?",
    "How large {v} {x} in {y}?",
)  # fmt: skip
SHORT = (
    ("What is", "What's"), ("Who is", "Who's"), ("do not", "don't"), ("does not", "doesn't"), ("cannot", "can't"),
    ("is not", "isn't"), ("did not", "didn't"), ("I am", "I'm"), ("we are", "we're"), ("percent", "%"),
    ("per cent", "%"), (" and ", " & "),
)  # fmt: skip
POLITE = (
    "Please tell me: {}", "Quick question: {}", "Hi, {}", "{} Thanks!", "{} please", "I'd like to know: {}",
    "Could you tell me? {}", "Hello team, {}", "{} Many thanks in advance.", "Question for the report: {}",
)  # fmt: skip


def article(question: str, draw: random.Random) -> str:
    """Without one of its articles, or with one more."""
    places = list(ARTICLE.finditer(question))
    if places and draw.random() < 0.6:
        place = draw.choice(places)
        return question[: place.start()] + question[place.end() :]
    found = BEFORE_ARTICLE.search(question)
    return f"{question[: found.end()]}the {question[found.end() :]}" if found else question


def year_first(question: str, _: random.Random) -> str:
    """With the year in front."""
    found = YEAR_AT_END.match(question)
    return f"In {found[2]}, {found[1][0].lower()}{found[1][1:]}?" if found else question


def level(question: str, draw: random.Random) -> str:
    """A question for a year's figure in another plain wording."""
    found = LEVEL.match(question)
    return draw.choice(LEVELS).format(v=found[1], x=found[2], y=found[3]) if found else question


def slip(question: str, draw: random.Random) -> str:
    """With two letters of a long word in the wrong order."""
    words = list(re.finditer(r"[a-z]{6,}", question))
    if not words:
        return question
    word = draw.choice(words)
    at = word.start() + draw.randint(1, len(word[0]) - 3)
    return question[:at] + question[at + 1] + question[at] + question[at + 2 :]


def short(question: str, draw: random.Random) -> str:
    """With a short form, or without one."""
    for long, brief in draw.sample(SHORT, len(SHORT)):
        if long in question:
            return question.replace(long, brief, 1)
        if brief in question:
            return question.replace(brief, long, 1)
    return question


def polite(question: str, draw: random.Random) -> str:
    """With a polite word around it."""
    return draw.choice(POLITE).format(question)


def lower(question: str, _: random.Random) -> str:
    """In small letters."""
    return question.lower()


def bare(question: str, _: random.Random) -> str:
    """Without a mark at its end."""
    return question.rstrip("?.! ")


EDITS: tuple[Edit, ...] = (article, year_first, level, slip, short, polite, lower, bare)


def edited(question: str, draw: random.Random) -> str:
    """A question after one to three edits."""
    for edit in draw.sample(EDITS, draw.choice((1, 1, 1, 2, 3))):
        question = edit(question, draw)
    return question
