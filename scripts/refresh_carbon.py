"""Write what EcoLogits publishes about model sizes and electricity mixes as two tables of facts.

Usage: python scripts/refresh_carbon.py        (with `pip install ecologits==0.11.3`; prints what changed)

Facts only (parameter counts, speeds, impact factors per zone), from the package's data files; the sources
that EcoLogits names for each are on https://ecologits.ai/latest/methodology/llm_inference/.
"""

from __future__ import annotations

import difflib
import json
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "cost" / "carbon"


def bounds(value: float | dict[str, float]) -> list[str]:
    """Give the low and the high end of a figure that may be a range."""
    low, high = (value["min"], value["max"]) if isinstance(value, dict) else (value, value)
    return [repr(low), repr(high)]


def models(data: dict) -> list[str]:
    """One line a model, aliases spelled out."""
    rows = {}
    for model in data["models"]:
        parameters = model["architecture"]["parameters"]
        mixture = isinstance(parameters, dict) and "total" in parameters
        total, active = (parameters["total"], parameters["active"]) if mixture else (parameters, parameters)
        speed = model.get("deployment") or {}
        numbers = [repr(speed[key]) if speed.get(key) is not None else "" for key in ("tps", "ttft")]
        flags = [code for code in model["warnings"] or [] if code.startswith("model-arch-")]
        note = "+".join(sorted(code.removeprefix("model-arch-") for code in flags))
        rows[model["provider"], model["name"]] = [*bounds(total), *bounds(active), *numbers, note]
    for alias in data["aliases"]:
        rows[alias["provider"], alias["name"]] = rows[alias["provider"], alias["alias"]]
    return ["\t".join([*key, *row]) for key, row in sorted(rows.items())]


def zones(data: dict) -> list[str]:
    """One line a zone."""
    keys = ("name", "gwp", "wue", "adpe", "pe")
    return ["\t".join(str(mix[key]) for key in keys) for mix in data["electricity_mixes"]]


def write(name: str, header: str, lines: list[str]) -> None:
    """Replace one table and show the difference."""
    path = TARGET / name
    stamp = f"# EcoLogits {version('ecologits')}"
    text = "\n".join([stamp, header, *lines]) + "\n"
    before = path.read_text().splitlines() if path.exists() else []
    sys.stdout.writelines(
        f"{line}\n" for line in difflib.unified_diff(before, text.splitlines(), name, name, "", "", 0, "")
    )
    path.write_text(text)


source = files("ecologits") / "data"
write(
    "models.tsv",
    "# provider\tmodel\ttotal_min\ttotal_max\tactive_min\tactive_max\ttokens_per_second\tfirst_token_seconds\tnotes",
    models(json.loads((source / "models.json").read_text())),
)
write(
    "zones.tsv",
    "# zone\tkgCO2e_per_kWh\tlitres_per_kWh\tkgSb_per_kWh\tMJ_per_kWh",
    zones(json.loads((source / "electricity_mixes.json").read_text())),
)
