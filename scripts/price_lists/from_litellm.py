"""LiteLLM's price map, from the file in its package."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

from price_lists.rows import BY_UNIT, MILLION, Condition, Model, Periods, Rate, Rates, decimal, number

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
LITELLM_TIERS = {"batches": "batch", "flex": "flex", "priority": "priority"}
LITELLM_FIELD = re.compile(r"^(?P<kind>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?$")

# The table's names of providers, where the map has another.
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
ABILITIES = {
    "audio_input", "audio_output", "function_calling", "pdf_input", "prompt_caching", "reasoning", "response_schema",
    "video_input", "vision", "web_search",
}  # fmt: skip


def litellm_rates(entry: dict) -> Rates:
    """Prices of an entry of the map: dollars for a million tokens, or for one image, search or request."""
    rates: Rates = {}
    for field, value in entry.items():
        match = LITELLM_FIELD.match(field)
        kind = LITELLM_KINDS.get(match["kind"]) if match else None
        if kind and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            above = int(match["above"] or 0) * 1000
            unit = 1 if kind in BY_UNIT else MILLION
            rates[Rate(kind, above, LITELLM_TIERS.get(match["tier"], ""))] = decimal(value) * unit
    # Anthropic's fast mode is told as a factor.
    if fast := (entry.get("provider_specific_entry") or {}).get("fast"):
        standard = [(rate, price) for rate, price in rates.items() if rate.tier == "" and rate.kind not in BY_UNIT]
        rates |= {rate._replace(tier="fast"): price * decimal(fast) for rate, price in standard}
    made = entry.get("input_cost_per_image") if entry.get("mode") == "image_generation" else None
    if made is not None:
        # What such an entry calls input is the picture that is made.
        rates.setdefault(Rate("image", 0, ""), decimal(made))
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
    source = json.loads((package / "model_prices_and_context_window_backup.json").read_text(), parse_float=Decimal)
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
