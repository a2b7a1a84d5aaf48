"""Write the built-in price table from the price map that the LiteLLM package carries (MIT licence; facts only).

Usage: python scripts/refresh_prices.py        (with `pip install litellm`; prints what changed)
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "cost" / "price" / "prices.tsv"
KINDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_image": "image",
}
PROVIDERS = {
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "text-completion-openai": "openai",
    "text-completion-codestral": "codestral",
    "azure_text": "azure",
}
ABILITIES = {
    "audio_input",
    "audio_output",
    "function_calling",
    "pdf_input",
    "prompt_caching",
    "reasoning",
    "response_schema",
    "vision",
    "web_search",
}
SHAPE = re.compile(r"^(?P<kind>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?$")


def name(key: str, provider: str) -> tuple[str, str]:
    """Give the provider and the model of an entry of the map."""
    place = "vertex_ai" if provider.startswith("vertex_ai") else PROVIDERS.get(provider, provider)
    model = key
    for prefix in (provider, place, place + "_ai"):
        model = model.removeprefix(prefix + "/")
    return place, model.removeprefix("accounts/fireworks/models/")


def prices(entry: dict) -> list[str]:
    """Give the prices of an entry, each as kind[>tokens][@tier]=dollars."""
    found = []
    for key, value in entry.items():
        match = SHAPE.match(key)
        if match is None or match["kind"] not in KINDS or not isinstance(value, (int, float)):
            continue
        above = f">{int(match['above']) * 1000}" if match["above"] else ""
        tier = f"@{match['tier'].replace('batches', 'batch')}" if match["tier"] else ""
        found.append(f"{KINDS[match['kind']]}{above}{tier}={Decimal(repr(value)).normalize():f}")
    return sorted(found)


package = Path(find_spec("litellm").submodule_search_locations[0])
source = json.loads((package / "model_prices_and_context_window_backup.json").read_text())
rows: dict[tuple[str, str], str] = {}
for key, entry in source.items():
    if key == "sample_spec" or not (rates := prices(entry)):
        continue
    context = entry.get("max_input_tokens") or entry.get("max_tokens") or ""
    abilities = {field.removeprefix("supports_") for field, given in entry.items() if given is True} & ABILITIES
    where = name(key, entry.get("litellm_provider", "unknown"))
    rows.setdefault(where, "\t".join([*where, str(context), ",".join(sorted(abilities)), " ".join(rates)]))
stamp = f"# litellm {version('litellm')}"
header = "# provider\tmodel\tcontext\tabilities\tkind[>above][@tier]=dollars ..."
text = "\n".join([stamp, header, *(rows[where] for where in sorted(rows))]) + "\n"
before = TARGET.read_text().splitlines() if TARGET.exists() else []
sys.stdout.writelines(
    f"{line}\n" for line in difflib.unified_diff(before, text.splitlines(), "before", "after", "", "", 0, "")
)
TARGET.write_text(text)
