"""genai-prices' list, from its package."""

from __future__ import annotations

from genai_prices import types as genai
from price_lists.rows import BY_UNIT, Condition, Periods, Rate, Rates, decimal

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
# The table's names of providers, where genai-prices has another.
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
