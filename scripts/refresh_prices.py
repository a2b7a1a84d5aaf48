"""Write the built-in price table from the price lists that two Python packages carry, and show what changed.

Usage: pip install litellm genai-prices && python scripts/refresh_prices.py [--check]

Facts only, from LiteLLM's price map and from genai-prices (MIT both). docs/prices.md tells the format and the rules.
--check writes nothing and exits 1 where the table would change.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import difflib
import json
import re
import sys
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from genai_prices import types as genai
from genai_prices.data import providers as genai_providers

TARGET = Path(__file__).parent.parent / "src" / "cost" / "price" / "prices.tsv"
MILLION = Decimal(1_000_000)

# Kinds of usage by LiteLLM's field; what is not here (seconds, pixels, pages, characters) is no usage of a text call.
LITELLM_KINDS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "input_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_image_token": "output_image",
    "output_cost_per_image": "image",
    "input_cost_per_request": "request",
}
GENAI_KINDS = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "web_searches_kcount": "search",
    "requests_kcount": "request",
}
KIND_ORDER = [
    "input", "cached_input", "cache_write", "cache_write_1h", "input_audio", "input_image",
    "output", "reasoning", "output_audio", "output_image", "image", "search", "request",
]  # fmt: skip
BY_UNIT = {"image", "search", "request"}
TIERS = ["", "batch", "flex", "priority"]
LITELLM_TIERS = {"batches": "batch", "flex": "flex", "priority": "priority"}
LITELLM_FIELD = re.compile(r"^(?P<kind>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?$")

# The table's names of providers, where a source has another.
LITELLM_PROVIDERS = {
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "text-completion-openai": "openai",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "azure_text": "azure",
}
GENAI_PROVIDERS = {
    "aws": "bedrock",
    "github-copilot": "github_copilot",
    "google": "gemini",
    "meta": "meta_llama",
    "moonshotai": "moonshot",
    "together": "together_ai",
    "voyageai": "voyage",
    "x-ai": "xai",
}
ABILITIES = {
    "audio_input", "audio_output", "function_calling", "pdf_input", "prompt_caching", "reasoning", "response_schema",
    "video_input", "vision", "web_search",
}  # fmt: skip


class Rate(NamedTuple):
    """What a price is for."""

    kind: str
    above: int
    tier: str


class Condition(NamedTuple):
    """When prices hold."""

    since: str = ""
    until: str = ""
    hours: str = ""
    days: str = ""


Rates = dict[Rate, Decimal]
Periods = list[tuple[Condition, Rates]]


class Model(NamedTuple):
    """A row of the table."""

    mode: str
    context: int | None
    max_output: int | None
    abilities: str
    periods: Periods
    source: str
    names: set[str]


def decimal(value: float | str) -> Decimal:
    """Give the published figure; a float's noise in the 16th digit is not published."""
    exact = Decimal(repr(value) if isinstance(value, float) else str(value))
    return exact if len(exact.as_tuple().digits) < 14 else Decimal(f"{exact:.9e}")


def number(value: object) -> int | None:
    """Give a positive whole number, or nothing."""
    return int(value) if isinstance(value, (int, float)) and value > 0 else None


# --- LiteLLM


def litellm_rates(entry: dict) -> Rates:
    """Prices of an entry of the map: dollars for a million tokens, or for one image, search or request."""
    rates: Rates = {}
    for field, value in entry.items():
        match = LITELLM_FIELD.match(field)
        kind = LITELLM_KINDS.get(match["kind"]) if match else None
        if kind and isinstance(value, (int, float)):
            above = int(match["above"] or 0) * 1000
            unit = 1 if kind in BY_UNIT else MILLION
            rates[Rate(kind, above, LITELLM_TIERS.get(match["tier"], ""))] = decimal(value) * unit
    for band in entry.get("tiered_pricing") or ():
        start = int(band.get("range", [0])[0])
        rates |= {Rate(rate.kind, start, rate.tier): price for rate, price in litellm_rates(band).items()}
    search = (entry.get("search_context_cost_per_query") or {}).get("search_context_size_medium")
    if search:
        rates[Rate("search", 0, "")] = decimal(search)
    # What a model of images puts out is images, whatever a reply calls it.
    images = {rate: price for rate, price in rates.items() if rate.kind == "output_image"}
    return {rate._replace(kind="output"): price for rate, price in images.items()} | rates


def days_text(days: list[int]) -> str:
    """Days of the week, Monday is 1; all of them is no condition."""
    text = "".join(map(str, sorted(days)))
    return "" if text == "1234567" else text


def litellm_periods(entry: dict) -> Periods:
    """List the prices, and where the entry has them the prices of the hours off peak."""
    rates = litellm_rates(entry)
    periods: Periods = [(Condition(), rates)]
    off_peak = entry.get("off_peak_pricing") or {}
    for window in off_peak.get("windows", ()):
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            span = "" if span == "00:00-00:00" else span
            condition = Condition(hours=span, days=days_text(window.get("weekdays", range(1, 8))))
            periods.append((condition, rates | litellm_rates(off_peak)))
    return periods


def litellm_name(key: str, provider: str) -> tuple[str, str]:
    """Give the provider and the model of a key of the map."""
    place = "vertex_ai" if provider.startswith("vertex_ai") else LITELLM_PROVIDERS.get(provider, provider)
    model = key
    for prefix in (provider, place, f"{place}_ai"):
        if model.startswith(f"{prefix}/"):
            model = model.removeprefix(f"{prefix}/")
            break
    return place, model.removeprefix("accounts/fireworks/models/")


def read_litellm() -> dict[tuple[str, str], Model]:
    """LiteLLM's map by provider and model. A key with its provider goes before one without."""
    package = Path(find_spec("litellm").submodule_search_locations[0])
    source = json.loads((package / "model_prices_and_context_window_backup.json").read_text())
    models: dict[tuple[str, str], Model] = {}
    for key, entry in sorted(source.items(), key=lambda item: "/" not in item[0]):
        provider = entry.get("litellm_provider") or ""
        periods = litellm_periods(entry)
        if key == "sample_spec" or not provider or not periods[0][1]:
            continue
        where = litellm_name(key, provider)
        names = {key} if key != "/".join(where) else set()
        if where in models:
            models[where].names.update(names)
            continue
        abilities = {field.removeprefix("supports_") for field, given in entry.items() if given is True} & ABILITIES
        context = number(entry.get("max_input_tokens")) or number(entry.get("max_tokens"))
        max_output = number(entry.get("max_output_tokens"))
        mode = entry.get("mode") or ""
        models[where] = Model(mode, context, max_output, ",".join(sorted(abilities)), periods, "l", names)
    return models


# --- genai-prices


def genai_rates(prices: genai.ModelPrice, tier: str = "") -> Rates:
    """Prices in the table's units."""
    rates: Rates = {}
    for field, value in prices.__dict__.items():
        kind = GENAI_KINDS.get(field)
        if kind is None or value is None:
            continue
        unit = 1000 if kind in BY_UNIT else 1
        if isinstance(value, genai.TieredPrices):
            rates[Rate(kind, 0, tier)] = decimal(value.base) / unit
            rates |= {Rate(kind, band.start, tier): decimal(band.price) / unit for band in value.tiers}
        else:
            rates[Rate(kind, 0, tier)] = decimal(value) / unit
    return rates


def genai_tier(when: dict[str, str]) -> str | None:
    """Give the service tier of a variant."""
    if when == {"processing": "batch"}:
        return "batch"
    tier = when.get("service_tier")
    return tier if len(when) == 1 and tier in ("flex", "priority") else None


def genai_periods(model: genai.ModelInfo) -> Periods:
    """Every dated price, with the variants that hold from its date on; then the prices of certain hours."""
    listed = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(None, prices=model.prices)]
    variants = [(genai_tier(variant.when), variant) for variant in model.price_variants or ()]

    def start(holder: genai.ConditionalPrice | genai.PriceVariant) -> str:
        day = getattr(holder.constraint, "start_date", None)
        return f"{day:%Y-%m-%d}" if day else ""

    timed = [price for price in listed if isinstance(price.constraint, genai.TimeOfDateConstraint)]
    dated = [price for price in listed if price not in timed]
    starts = sorted({""} | {start(price) for price in dated})
    periods: Periods = []
    for since, after in zip(starts, [*starts[1:], "9999"], strict=True):
        standing = [price for price in dated if start(price) <= since]
        rates = genai_rates((standing or listed)[-1].prices)
        for tier, variant in reversed(variants):
            # A variant's date is when the list took it up; it is as old as the standard price that it stands beside.
            if tier and start(variant) < after:
                rates |= genai_rates(variant.prices, tier)
        periods.append((Condition(since), rates))
    for price in timed:
        hours = f"{price.constraint.start_time:%H:%M}-{price.constraint.end_time:%H:%M}"
        periods.append((Condition(periods[-1][0].since, hours=hours), periods[-1][1] | genai_rates(price.prices)))
    return periods


def equal_names(match: object) -> set[str]:
    """List the names that a rule spells out; what begins or looks like one is not a name."""
    if isinstance(match, genai.ClauseEquals):
        return {match.equals}
    if isinstance(match, genai.ClauseOr):
        return set().union(*map(equal_names, match.or_))
    return set()


# --- both


def current(periods: Periods, today: str) -> int:
    """Find the period that holds today, whatever the hour."""
    held = [
        place for place, (when, _) in enumerate(periods) if not when.hours and not when.days and when.since <= today
    ]
    return held[-1]


def is_newer(ours: Periods, theirs: Periods, today: str) -> bool:
    """Whether prices that genai-prices dates are those that LiteLLM has not taken over yet."""
    place = current(theirs, today)
    older = [rates for _, rates in theirs[:place]]
    keys = [rate for rate in theirs[place][1] if rate in ours[0][1] and rate.kind in ("input", "output")]
    return any(all(ours[0][1][key] == rates.get(key) for key in keys) for rates in older) and bool(keys)


def merged(ours: Periods, theirs: Periods, today: str, counts: collections.Counter[str]) -> tuple[Periods, str]:
    """One list of periods from LiteLLM's (ours) and genai-prices' (theirs); docs/prices.md has the rule."""
    place = current(theirs, today)
    since, left, right = theirs[place][0].since, ours[0][1], theirs[place][1]
    main = [Rate(kind, 0, "") for kind in ("input", "output")]
    shared = [rate for rate in left if rate in right]
    differ = [rate for rate in shared if left[rate] != right[rate]]
    same_main = all(left.get(rate, 0) == right.get(rate, 0) for rate in main)
    if not differ:
        counts["agree"] += 1
    elif same_main:
        counts["differ in a detail"] += 1
    elif is_newer(ours, theirs, today):
        counts["differ, LiteLLM has an older price"] += 1
        return theirs, "g"
    else:
        counts["differ"] += 1
    fill = {rate: price for rate, price in right.items() if rate not in left} if same_main else {}
    history = [period for period in theirs[:place] if not period[0].hours] if since else []
    now = [(when._replace(since=since), rates | fill) for when, rates in ours]
    if len(ours) == 1:
        now += [period for period in theirs[place + 1 :] if same_main or period[0].since > today]
    return history + now, "lg"


def read_all(counts: collections.Counter[str]) -> dict[tuple[str, str], Model]:
    """Both sources by provider and model."""
    today = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}"
    models = read_litellm()
    by_place: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for place, name in models:
        by_place[place][name] = name
    for provider in genai_providers:
        place = GENAI_PROVIDERS.get(provider.id, provider.id)
        for name in by_place[place]:
            row = models[place, name]
            refs = [name.lower(), *(other.partition("/")[2].lower() for other in sorted(row.names))]
            model = next(filter(None, map(provider.find_model, filter(None, refs))), None)
            if model is None or not (theirs := genai_periods(model))[0][1]:
                continue
            periods, source = merged(row.periods, theirs, today, counts)
            models[place, name] = row._replace(periods=periods, source=source)
            row.names.update(f"{place}/{other}" for other in equal_names(model.match) if model.id == name)
        for model in provider.models:
            periods = genai_periods(model)
            if (place, model.id) in models or not any(rates for _, rates in periods):
                continue
            names = {f"{place}/{other}" for other in equal_names(model.match)}
            models[place, model.id] = Model("", model.context_window, None, "", periods, "g", names)
    for provider, model, rates in SIMULATED:
        held = {Rate(kind, 0, ""): Decimal(price) for kind, price in rates.items()}
        models[provider, model] = Model("chat", None, None, "", [(Condition(), held)], "h", set())
    return models


# What headrace's own stand-in provider charges: invented, so that a dry run has costs to look at.
SIMULATED = [
    ("simulated", "echo", {"input": "0.15", "output": "0.60"}),
    ("simulated", "esg", {"input": "0.15", "output": "0.60"}),
    ("simulated", "embedding", {"input": "0.02"}),
]


def plain(price: Decimal) -> str:
    """All digits, no exponent."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def period_text(when: Condition, rates: Rates) -> str:
    """Write a period as conditions and kind[>above][@tier]=price words."""
    words = [f"{field}:{value}" for field, value in when._asdict().items() if value]
    order = sorted(rates, key=lambda rate: (TIERS.index(rate.tier), rate.above, KIND_ORDER.index(rate.kind)))
    for rate in order:
        above, tier = f">{rate.above}" if rate.above else "", f"@{rate.tier}" if rate.tier else ""
        words.append(f"{rate.kind}{above}{tier}={plain(rates[rate])}")
    return " ".join(words)


def table_text(models: dict[tuple[str, str], Model]) -> str:
    """Write the table as a file."""
    taken = {"/".join(where) for where in models}
    claims = collections.Counter(name for row in models.values() for name in row.names)
    rows = []
    for (provider, model), row in sorted(models.items()):
        names = sorted(name for name in row.names if claims[name] == 1 and name not in taken)
        cells = [provider, model, row.source, row.mode, row.context or "", row.max_output or "", row.abilities]
        texts = dict.fromkeys(period_text(*period) for period in row.periods)
        rows.append("\t".join([*map(str, cells), " ".join(names), *texts]))
    stamp = f"litellm {version('litellm')}, genai-prices {version('genai-prices')}"
    day = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}"
    sources = "source (l litellm, g genai-prices, h headrace)"
    head = f"provider\tmodel\t{sources}\tmode\tcontext\tmax output\tabilities\tother names\tperiods ..."
    return "\n".join([f"# {day} {stamp}", f"# {head}", *rows]) + "\n"


def main() -> int:
    """Write the table; print the diff and what the sources say of each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    counts: collections.Counter[str] = collections.Counter()
    models = read_all(counts)
    before = TARGET.read_text() if TARGET.exists() else ""
    after = table_text(models)
    changes = list(
        difflib.unified_diff(before.splitlines()[1:], after.splitlines()[1:], "before", "after", n=0, lineterm="")
    )
    print(*changes, sep="\n")
    print(f"{len(models)} models; of those in both sources:", dict(counts), file=sys.stderr)
    if not check and changes:
        TARGET.write_text(after)
    return 1 if check and changes else 0


if __name__ == "__main__":
    sys.exit(main())
