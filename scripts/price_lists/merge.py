"""One list from three: which price is taken where they disagree. docs/prices.md tells the rules in words."""

from __future__ import annotations

import collections
import datetime as dt
from decimal import Decimal
from typing import NamedTuple

from genai_prices import types as genai
from genai_prices.data import providers as genai_providers
from price_lists.from_genai import GENAI_PROVIDERS, genai_periods
from price_lists.from_litellm import read_litellm
from price_lists.from_models_dev import Found, read_models_dev
from price_lists.rows import Condition, Model, Periods, Rate, Rates

LETTERS = "lgm"
"""The order in which lists are believed where nothing else decides: LiteLLM, genai-prices, models.dev."""
MAIN = (Rate("input", 0, ""), Rate("output", 0, ""))

# What headrace's own stand-in provider charges: invented, so that a dry run has costs to look at.
SIMULATED = [
    ("simulated", "echo", {"input": "0.15", "output": "0.60"}),
    ("simulated", "esg", {"input": "0.15", "output": "0.60"}),
    ("simulated", "embedding", {"input": "0.02"}),
]


class Choice(NamedTuple):
    """Where lists disagree: on what, and which was taken by which rule."""

    model: str
    prices: dict[str, tuple[Decimal, Decimal]]
    taken: str
    rule: str

    def __str__(self) -> str:
        told = ", ".join(f"{letter} {read:f}/{written:f}" for letter, (read, written) in self.prices.items())
        return f"{self.model}: {told}; {self.taken} ({self.rule})"


class Merged(NamedTuple):
    """The table, what was decided on the way, and how often each case was met."""

    models: dict[tuple[str, str], Model]
    choices: list[Choice]
    counts: collections.Counter[str]
    stamp: str


def current(periods: Periods, today: str) -> int:
    """Find the period that holds today, whatever the hour."""
    held = [
        place
        for place, (when, _) in enumerate(periods)
        if not (when.hours or when.days or when.until) and when.since <= today
    ]
    return held[-1] if held else 0


def main_price(rates: Rates) -> tuple[Decimal, Decimal]:
    """Input and output on standard terms; nothing is zero."""
    read, written = (rates.get(rate, Decimal(0)) for rate in MAIN)
    return read, written


def is_free(periods: Periods, today: str) -> bool:
    """Whether a list says outright that the model costs nothing: a plan or a preview of that list's, or a mistake."""
    rates = periods[current(periods, today)][1]
    return MAIN[0] in rates and not any(rates.values())


def prices_now(periods: Periods, today: str) -> set[tuple[Decimal, Decimal]]:
    """List what holds today, at whatever hour."""
    return {main_price(rates) for when, rates in periods[current(periods, today) :] if when.since <= today}


def past_prices(periods: Periods, today: str) -> set[tuple[Decimal, Decimal]]:
    """List what the list itself dates as over."""
    return {main_price(rates) for _, rates in periods[: current(periods, today)]} - prices_now(periods, today)


def equal_names(match: object) -> set[str]:
    """List the names that a rule spells out; what begins or looks like one is not a name."""
    if isinstance(match, genai.ClauseEquals):
        return {match.equals}
    if isinstance(match, genai.ClauseOr):
        return set().union(*map(equal_names, match.or_))
    return set()


def decide(lists: dict[str, Periods], today: str) -> tuple[str, str]:
    """Give the letter of the list that is believed, and why."""
    prices = {letter: main_price(periods[current(periods, today)][1]) for letter, periods in lists.items()}
    if "l" in prices and "g" in prices and prices["l"] == prices["g"]:
        return "l", "agree"
    if len(set(prices.values())) == 1:
        return next(iter(lists)), "agree"
    past = {letter: past_prices(periods, today) for letter, periods in lists.items()}
    told = {letter: prices_now(periods, today) for letter, periods in lists.items()}
    fresh = [
        letter for letter in lists if not any(told[letter] & past[other] for other in lists if other != letter)
    ] or list(lists)
    fresh = [letter for letter in fresh if not is_free(lists[letter], today)] or fresh
    votes = collections.Counter(prices[letter] for letter in fresh)
    price, count = votes.most_common(1)[0]
    if count > 1:
        return next(letter for letter in fresh if prices[letter] == price), "two of three"
    if len(fresh) < len(lists):
        return fresh[0], "the others are dated as past, or free"
    return fresh[0], "the first in order"


def detailed(lists: dict[str, Periods], today: str, fill: str) -> Rates:
    """Prices now of lists that agree on input and output: a detail by vote, else the first list's, else what one adds."""
    now = {letter: periods[current(periods, today)][1] for letter, periods in lists.items()}
    rates: Rates = {}
    for rate in dict.fromkeys(rate for letter in fill if letter in now for rate in now[letter]):
        told = [now[letter][rate] for letter in LETTERS if rate in now.get(letter, {})]
        price, count = collections.Counter(told).most_common(1)[0]
        rates[rate] = price if count > 1 else told[0]
    # Where two lists are one on what a call costs the third adds only what they do not speak of.
    rates |= {rate: price for rate, price in now.get("m", {}).items() if rate.tier == "batch" and rate not in rates}
    return rates


def merged(lists: dict[str, Periods], holidays: Periods, today: str) -> tuple[Periods, str, str]:
    """One list of periods, the letters it comes from, and the rule."""
    chosen, rule = decide(lists, today)
    place = current(lists[chosen], today)
    price = main_price(lists[chosen][place][1])
    same = {
        letter: periods for letter, periods in lists.items() if main_price(periods[current(periods, today)][1]) == price
    }
    fill = "".join(letter for letter in "lg" if letter in same) or "m"
    rates = detailed(same, today, fill)
    hours_from = next((letter for letter in LETTERS if letter in same and later(same[letter], today)), chosen)
    since, history, teller = longest_history(lists, price, today)
    now: Periods = [(Condition(since), rates)]
    timed = same[hours_from]
    if hours_from == "l":
        added = {rate: value for rate, value in rates.items() if rate not in timed[0][1]}
        now = [(when._replace(since=since), own | added) for when, own in timed]
        now[0] = (now[0][0], rates)
    else:
        now += later(timed, today)
    if holidays and hours_from != "m" and len(now) > 1:
        now += [(span, now[1][1]) for span, _ in holidays if span.since >= since]
    letters = "".join(letter for letter in LETTERS if letter in same or letter == teller)
    return history + now, letters, rule


def later(periods: Periods, today: str) -> Periods:
    """List what holds only at some hours and days, or not yet."""
    after = periods[current(periods, today) + 1 :]
    return [(when, rates) for when, rates in after if when.hours or when.days or when.until or when.since > today]


def longest_history(lists: dict[str, Periods], price: tuple[Decimal, Decimal], today: str) -> tuple[str, Periods, str]:
    """Give since when the price holds and what held before: by the list that dates the most, of those that end in it."""
    best: tuple[str, Periods, str] = ("", [], "")
    for letter, periods in lists.items():
        place = current(periods, today)
        # A list that has not seen the newest price still knows the older ones, if it dates when they began.
        if main_price(periods[place][1]) != price or not periods[place][0].since:
            continue
        first = place
        while first > 0 and main_price(periods[first - 1][1]) == price and not periods[first - 1][0].hours:
            first -= 1
        past = periods[:first]
        if len(past) > len(best[1]):
            best = (periods[first][0].since, past, letter)
    return best


def genai_model(provider: genai.Provider, name: str, row: Model) -> genai.ModelInfo | None:
    """Find LiteLLM's model in genai-prices by that list's own rules."""
    refs = [name.lower(), *(other.partition("/")[2].lower() for other in sorted(row.names))]
    return next(filter(None, map(provider.find_model, filter(None, refs))), None)


def read_all() -> Merged:
    """Every list by provider and model."""
    today = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    models, third = read_litellm(), read_models_dev()
    voices: dict[tuple[str, str], dict[str, Periods]] = {where: {"l": row.periods} for where, row in models.items()}
    by_place: dict[str, list[str]] = collections.defaultdict(list)
    for place, name in models:
        by_place[place].append(name)
    for provider in genai_providers:
        place = GENAI_PROVIDERS.get(provider.id, provider.id)
        for name in by_place[place]:
            row = models[place, name]
            model = genai_model(provider, name, row)
            if model is None or not (theirs := genai_periods(model))[0][1]:
                continue
            voices[place, name]["g"] = theirs
            row.names.update(f"{place}/{other}" for other in equal_names(model.match) if model.id == name)
        for model in provider.models:
            periods = genai_periods(model)
            if (place, model.id) in models or not any(rates for _, rates in periods):
                continue
            names = {f"{place}/{other}" for other in equal_names(model.match)}
            models[place, model.id] = Model("", model.context_window, None, "", periods, "g", names)
            voices[place, model.id] = {"g": periods}
    return finished(models, voices, third, today)


def finished(
    models: dict[tuple[str, str], Model], voices: dict[tuple[str, str], dict[str, Periods]], third: Found, today: str
) -> Merged:
    """Join models.dev, and decide."""
    declared = {name: where for where, row in models.items() for name in row.names if name.count("/") > 0}
    for where, row in third.models.items():
        known = where if where in models else declared.get("/".join(where))
        if known is None:
            models[where], voices[where] = row, {"m": row.periods}
            continue
        if known != where and known in third.models:
            # The list has the model itself: what it says of another name, which may have pointed elsewhere, is no history.
            continue
        voices[known]["m"] = row.periods
        held = models[known]
        models[known] = held._replace(
            context=held.context or row.context,
            max_output=held.max_output or row.max_output,
            abilities=held.abilities or row.abilities,
        )
    counts: collections.Counter[str] = collections.Counter()
    choices = []
    for where, lists in voices.items():
        periods, letters, rule = merged(lists, third.holidays.get(where[0], []), today)
        models[where] = models[where]._replace(periods=periods, source=letters)
        counts[f"{len(lists)} {'list' if len(lists) == 1 else 'lists'}: {rule if len(lists) > 1 else 'alone'}"] += 1
        if len(lists) > 1 and rule != "agree":
            prices = {letter: main_price(told[current(told, today)][1]) for letter, told in lists.items()}
            taken = decide(lists, today)[0]
            choices.append(Choice("/".join(where), prices, taken, rule))
    for provider, model, rates in SIMULATED:
        held = {Rate(kind, 0, ""): Decimal(price) for kind, price in rates.items()}
        models[provider, model] = Model("chat", None, None, "", [(Condition(), held)], "h", set())
    return Merged(models, choices, counts, third.stamp)
