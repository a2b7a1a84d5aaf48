"""Which author teaches, which one stops and calibrates, which one judges; and all-MiniLM's vectors of questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from model import CLS, SEP, Verifier, batch, tokenizer

HERE = Path(__file__).parent
QUESTIONS = HERE.parent / "questions"
FRAMES = HERE.parent / "frames"
TEMPLATES = HERE.parent / "esg_templates.json"
#: Set out in questions/README.md.
TEACH = (
    "agriculture", "audit", "bank", "buildings", "carmaker", "chemicals", "climate", "confusable", "contrast",
    "electronics", "everyday", "figures", "food_drink", "food_fashion", "general", "hospital", "hostile_pairs",
    "insurance", "manufacturer", "mining", "pension_fund", "people", "phone", "public", "roles_construction",
    "roles_finance", "roles_hotel", "rules", "rules_auditors", "telecom", "transport", "workforce",
)  # fmt: skip
CALIBRATE = ("utility", "hostile")
JUDGE = (
    "investor",
    "technology",
    "hostile_judge",
    "paper",
    "consultancy",
    "online_shop",
    "university",
    "roles_newsroom",
)
#: The last sets of templates judge.
TEMPLATES_THAT_JUDGE = 8


@torch.no_grad()
def vectors(texts: list[str]) -> np.ndarray:
    """all-MiniLM's unit vectors, which propose candidates."""
    net, words = Verifier.from_minilm([0, 1, 2, 3, 4, 5]).eval(), tokenizer()
    ids = [[CLS, *found.ids[:120], SEP] for found in words.encode_batch(texts, add_special_tokens=False)]
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    made = np.zeros((len(ids), 384), np.float32)
    for start in range(0, len(order), 128):
        places = order[start : start + 128]
        tokens, side, _, present = batch([(ids[i], [0] * len(ids[i]), [0] * len(ids[i])) for i in places])
        hidden = net.hidden(tokens, side, None, present)
        mean = (hidden * present[..., None]).sum(1) / present.sum(1, keepdim=True)
        made[places] = torch.nn.functional.normalize(mean).numpy()
    return made
