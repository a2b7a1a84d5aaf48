"""Compare every price of the built-in table with the two libraries whose lists it comes from, to the last digit.

Usage: pip install litellm genai-prices && python scripts/compare_prices.py

For each model that both libraries know and each shape of usage in tests/data/price_shapes.json: what each of the two
says that a call costs, and what `CostTracker.quote` says. Where the two are equal to 1e-12, ours must be. What differs
is printed by provider and shape.
"""

from __future__ import annotations

import collections
import datetime as dt
import json
import logging
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import headrace
import litellm
from genai_prices import types as genai
from genai_prices.data import providers
from litellm.cost_calculator import cost_per_token
from litellm.types.utils import (
    CacheCreationTokenDetails,
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)
from price_lists.from_genai import GENAI_PROVIDERS
from price_lists.from_litellm import read_litellm
from price_lists.merge import genai_model

SHAPES = Path(__file__).parent.parent / "tests" / "data" / "price_shapes.json"
NOON = dt.datetime.now(dt.timezone.utc).replace(hour=12, minute=0)
"""An hour without a surcharge anywhere."""


def by_genai(model: genai.ModelInfo, provider: genai.Provider, shape: dict[str, Any]) -> Decimal:
    """What genai-prices says."""
    hour, minutes = shape.get("cw1h", 0), shape.get("cw5", 0)
    counts = {
        "input_tokens": shape["i"],
        "output_tokens": shape["o"],
        "cache_read_tokens": shape.get("cr"),
        "cache_write_tokens": hour + minutes or None,
        "cache_write_1h_tokens": hour or None,
        "cache_write_5m_tokens": minutes if hour else None,
        "output_reasoning_tokens": shape.get("rs"),
        "input_audio_tokens": shape.get("ai"),
        "output_audio_tokens": shape.get("ao"),
    }
    usage = genai.Usage(**{name: count for name, count in counts.items() if count})
    context = {"service_tier": shape["tier"]} if "tier" in shape else None
    context = {"processing": "batch"} if shape.get("batch") else context
    return model.calc_price(usage, provider, genai_request_timestamp=NOON, price_context=context).total_price


def by_litellm(key: str, provider: str, shape: dict[str, Any]) -> Decimal:
    """What LiteLLM says: a float, in the shortest form that is read back as it."""
    hour, minutes, read = shape.get("cw1h", 0), shape.get("cw5", 0), shape.get("cr", 0)
    details = (
        {
            "cache_creation_token_details": CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=minutes, ephemeral_1h_input_tokens=hour
            )
        }
        if hour
        else {}
    )
    usage = Usage(
        prompt_tokens=shape["i"],
        completion_tokens=shape["o"],
        total_tokens=shape["i"] + shape["o"],
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=read, audio_tokens=shape.get("ai", 0), cache_creation_tokens=hour + minutes, **details
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=shape.get("rs", 0), audio_tokens=shape.get("ao", 0)
        ),
    )
    usage._cache_read_input_tokens, usage._cache_creation_input_tokens = read, hour + minutes
    tier = "batches" if shape.get("batch") else shape.get("tier")
    cost = sum(cost_per_token(model=key, usage_object=usage, custom_llm_provider=provider, service_tier=tier))
    return Decimal(repr(cost))


def by_us(costs: headrace.CostTracker, model: str, shape: dict[str, Any]) -> Decimal:
    """What headrace says; an unknown model is a difference."""
    usage = headrace.Usage(
        input_tokens=shape["i"],
        output_tokens=shape["o"],
        cached_input_tokens=shape.get("cr", 0),
        cache_write_tokens=shape.get("cw5", 0) + shape.get("cw1h", 0),
        cache_write_1h_tokens=shape.get("cw1h", 0),
        reasoning_tokens=shape.get("rs", 0),
        input_audio_tokens=shape.get("ai", 0),
        output_audio_tokens=shape.get("ao", 0),
        service_tier=shape.get("tier"),
        batch=shape.get("batch", False),
    )
    quote = costs.quote(model, usage, at=NOON)
    return Decimal(-1) if quote.estimated else quote.cost


def main() -> int:
    """Print the table of shapes and what differs."""
    logging.disable(logging.CRITICAL)
    shapes = {name: shape for name, shape in json.loads(SHAPES.read_text()).items() if "t" not in shape}
    by_place = {GENAI_PROVIDERS.get(provider.id, provider.id): provider for provider in providers}
    costs, cells, known = headrace.CostTracker(), collections.Counter(), set()
    agreed, equal, different = collections.Counter(), collections.Counter(), collections.Counter()
    for (place, name), row in sorted(read_litellm().items()):
        provider = by_place.get(place)
        model = genai_model(provider, name, row) if provider else None
        key = next((key for key in (f"{place}/{name}", *sorted(row.names), name) if key in litellm.model_cost), None)
        if model is None or key is None:
            continue
        for shape_name, shape in shapes.items():
            theirs = by_genai(model, provider, shape)
            other = by_litellm(key, litellm.model_cost[key]["litellm_provider"], shape)
            cells[shape_name] += 1
            if abs(theirs - other) < Decimal("1e-12"):
                known.add((place, name))
                agreed[shape_name] += 1
                if by_us(costs, f"{place}/{name}", shape) == theirs:
                    equal[shape_name] += 1
                else:
                    different[place, shape_name] += 1
    print(f"{'shape':10} {'cells':>6} {'agreed':>7} {'equal':>7}")
    for shape_name in shapes:
        print(f"{shape_name:10} {cells[shape_name]:6} {agreed[shape_name]:7} {equal[shape_name]:7}")
    share = equal.total() / agreed.total()
    print(f"{len(known)} models, {agreed.total()} of {cells.total()} cells agreed, {equal.total()} equal: {share:.4f}")
    for (place, shape_name), count in different.most_common():
        print(f"differ: {place} {shape_name} {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
