"""Writes a trained model as the file that the cache reads: int8 weights, a pruned vocabulary, the calibration.

    python benches/quality/verifier/export.py MODEL.pt python/headrace/models/verifier.safetensors [--pieces 11400]

The calibration and the thresholds come from ``calibrate.py``, which writes them beside the model.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from data import QUESTIONS, TEACH
from model import MOST_TOKENS, WIDTH, Verifier, tokenizer
from pairs import questions, read
from quantise import rows
from safetensors.numpy import save_file
from vocabulary import kept


def tensors(net: Verifier, numbers: list[int], pieces: list[str]) -> dict[str, np.ndarray]:
    """What the file holds, by name."""
    made: dict[str, np.ndarray] = {"vocabulary": np.frombuffer("\n".join(pieces).encode(), np.uint8)}

    def put(name: str, value: torch.Tensor) -> None:
        made[name] = value.detach().float().numpy()

    def put_int8(name: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
        made[name + ".weight"], made[name + ".scale"] = rows(weight.detach().float().numpy())
        put(name + ".bias", bias)

    made["embed.word"], made["embed.word.scale"] = rows(net.word.weight.detach().float().numpy()[numbers])
    for name in ("position", "segment", "match"):
        put("embed." + name, getattr(net, name).weight)
    for name, norm in [("embed.norm", net.norm)]:
        put(name + ".weight", norm.weight)
        put(name + ".bias", norm.bias)
    for place, layer in enumerate(net.layers):
        base = f"layer.{place}."
        for part, name in enumerate(("query", "key", "value")):
            of = slice(part * WIDTH, (part + 1) * WIDTH)
            put_int8(base + name, layer.qkv.weight[of], layer.qkv.bias[of])
        for name in ("output", "up", "down"):
            put_int8(base + name, getattr(layer, name).weight, getattr(layer, name).bias)
        for name in ("norm1", "norm2"):
            put(base + name + ".weight", getattr(layer, name).weight)
            put(base + name + ".bias", getattr(layer, name).bias)
    for place, head in ((1, net.head1), (2, net.head2)):
        put(f"head.{place}.weight", head.weight)
        put(f"head.{place}.bias", head.bias)
    return made


def checksum(made: dict[str, np.ndarray]) -> int:
    """Of all tensors in the order of their names: a flipped byte is no model."""
    total = 0
    for name in sorted(made):
        total = zlib.crc32(made[name].tobytes(), total)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pieces", type=int, default=11400, help="how many word pieces to keep")
    args = parser.parse_args()
    net = Verifier.load(args.model)
    calibration = json.loads(args.model.with_suffix(".calibration.json").read_text())
    texts = [text for author in TEACH for text in questions(read(QUESTIONS / f"{author}.json"))]
    numbers, pieces = kept(tokenizer(), texts, args.pieces)
    made = tensors(net, numbers, pieces)
    made["calibration.logit"] = np.array(calibration["logit"], np.float32)
    made["calibration.probability"] = np.array(calibration["probability"], np.float32)
    settings = {
        "format": "headrace-verifier",
        "version": "1",
        "name": calibration["name"],
        "layers": str(len(net.layers)),
        "heads": "12",
        "orders": "2" if calibration["both_orders"] else "1",
        "max_tokens": str(MOST_TOKENS),
        "same_at": str(calibration["same_at"]),
        "different_at": str(calibration["different_at"]),
        "crc32": f"{checksum(made):08x}",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(made, args.out, metadata=settings)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(pieces)} word pieces")


if __name__ == "__main__":
    main()
