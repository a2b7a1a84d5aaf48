"""int8 as the cache computes it: weights by output row, activations by token, sums exact."""

from __future__ import annotations

import numpy as np
import torch
from model import Verifier
from torch import Tensor, nn
from torch.nn import functional


def rows(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row as int8, and its scale."""
    scale = np.abs(weight).max(1) / 127
    scale[scale == 0] = 1
    return np.clip(np.rint(weight / scale[:, None]), -127, 127).astype(np.int8), scale.astype(np.float32)


class Int8Linear(nn.Module):
    """A linear layer with what rounding to int8 does to it, computed in floats: the sums of int8 products stay exact."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight, scale = rows(layer.weight.detach().float().numpy())
        self.weight = torch.tensor(weight, dtype=torch.float32)
        self.scale = torch.tensor(scale)
        self.bias = layer.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        step = x.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 127
        return functional.linear(torch.round(x / step), self.weight) * step * self.scale + self.bias


def quantised(net: Verifier) -> Verifier:
    """The same model with int8 products in its layers and int8 word vectors; in place."""
    weight, scale = rows(net.word.weight.detach().float().numpy())
    net.word.weight.data = torch.tensor(weight.astype(np.float32) * scale[:, None])
    for layer in net.layers:
        for name in ("qkv", "output", "up", "down"):
            setattr(layer, name, Int8Linear(getattr(layer, name)))
    return net.eval()
