"""Published prices, and what a call costs by them: worked out here, apart from headrace's own table."""

from __future__ import annotations

import random
from decimal import Decimal

import headrace

MILLION = Decimal(1_000_000)
# USD for a million tokens: input, cached input, output. Each from its provider's own price page.
PUBLISHED = {
    "openai/gpt-4": ("30", None, "60"),
    "openai/gpt-4o": ("2.50", "1.25", "10"),
    "openai/gpt-4o-mini": ("0.15", "0.075", "0.60"),
    "anthropic/claude-haiku-4-5": ("1", "0.10", "5"),
    "openai/text-embedding-3-small": ("0.02", None, "0"),
}


def random_call(rng: random.Random) -> tuple[str, headrace.Usage, Decimal]:
    """A model, what a call of it used, and what it must cost."""
    model, (price, cached_price, output_price) = rng.choice(list(PUBLISHED.items()))
    tokens, output = rng.randrange(1, 5000), 0 if output_price == "0" else rng.randrange(1, 2000)
    cached = rng.randrange(tokens) if cached_price else 0
    usage = headrace.Usage(input_tokens=tokens, output_tokens=output, cached_input_tokens=cached)
    cost = Decimal(price) * (tokens - cached) + Decimal(cached_price or 0) * cached + Decimal(output_price) * output
    return model, usage, cost / MILLION
