"""Sentence embeddings by ONNX, on this machine: slower than word vectors, and aware of the order of words."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace.errors import ConfigError

__all__ = ["OnnxEmbedder"]

_MODELS = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx", "model_int8.onnx")
_BATCH = 32


class OnnxEmbedder:
    """Embeds with a model and a tokenizer from two local files; loads them at the first text.

    The last hidden state is averaged over the tokens of a text, as sentence-transformers does; a model that has one
    vector a text already is taken as it is. Rows have unit length.

    Args:
        model: The ``.onnx`` file.
        tokenizer: The ``tokenizer.json`` file.
        name: What tells these vectors from another model's.
        recommended_threshold: The cosine from which a cache with guards takes an entry for a candidate.
        max_tokens: What of a text is read.
        threads: How many threads one batch may take.

    Raises:
        ConfigError: A file is not there, or onnxruntime or tokenizers is not installed.
    """

    def __init__(
        self,
        model: Path,
        tokenizer: Path,
        *,
        name: str,
        recommended_threshold: float | None = None,
        max_tokens: int = 256,
        threads: int = 1,
    ) -> None:
        for file in (model, tokenizer):
            if not file.is_file():
                raise ConfigError(f"{file} is not there: give a folder with a model.onnx and its tokenizer.json")
        for package in ("onnxruntime", "tokenizers"):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(f"{package} is not installed: run `pip install headrace[minilm]`")
        self.name, self.recommended_threshold = name, recommended_threshold
        self._model, self._tokenizer_file = model, tokenizer
        self._max_tokens, self._threads = max_tokens, threads
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def from_folder(cls, folder: Path, **options: Any) -> OnnxEmbedder:
        """An embedder from a folder as exported by optimum or sentence-transformers."""
        found = next((folder / file for file in _MODELS if (folder / file).is_file()), folder / _MODELS[0])
        return cls(found, folder / "tokenizer.json", name=f"onnx/{folder.resolve().name}", **options)

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """A row of unit length for each text."""
        tokenizer, session = self._load()
        rows = [self._batch(tokenizer, session, texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        return np.concatenate(rows) if rows else np.empty((0, 0), dtype=np.float32)

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                import onnxruntime
                from tokenizers import Tokenizer

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.inter_op_num_threads = 1
                try:
                    tokenizer = Tokenizer.from_str(self._tokenizer_file.read_text(encoding="utf-8"))
                    session = onnxruntime.InferenceSession(
                        str(self._model), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as error:
                    raise ConfigError(f"{self._model} or its tokenizer cannot be read: {error}") from error
                tokenizer.enable_truncation(self._max_tokens)
                padding = json.loads(tokenizer.to_str()).get("padding") or {}
                tokenizer.enable_padding(pad_id=padding.get("pad_id", 0), pad_token=padding.get("pad_token", "[PAD]"))
                self._loaded = tokenizer, session
            return self._loaded

    @staticmethod
    def _batch(tokenizer: Any, session: Any, texts: list[str]) -> npt.NDArray[np.float32]:
        encoded = tokenizer.encode_batch(texts)
        known = {
            "input_ids": [encoding.ids for encoding in encoded],
            "attention_mask": [encoding.attention_mask for encoding in encoded],
            "token_type_ids": [encoding.type_ids for encoding in encoded],
        }
        wanted = [given.name for given in session.get_inputs()]
        outputs = session.run(None, {name: np.asarray(known[name], dtype=np.int64) for name in wanted})
        hidden = next((output for output in outputs if output.ndim == 2), outputs[0])
        if hidden.ndim == 3:
            mask = np.asarray(known["attention_mask"], dtype=np.float32)[..., None]
            hidden = (hidden * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1.0)
        length = np.linalg.norm(hidden, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = (hidden / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
        return unit

    def __repr__(self) -> str:
        return f"<OnnxEmbedder {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        options = (self.name, self.recommended_threshold, self._max_tokens, self._threads)
        return _rebuild, (self._model, self._tokenizer_file, *options)


def _rebuild(
    model: Path, tokenizer: Path, name: str, threshold: float | None, max_tokens: int, threads: int
) -> OnnxEmbedder:
    options: dict[str, Any] = {"recommended_threshold": threshold, "max_tokens": max_tokens, "threads": threads}
    return OnnxEmbedder(model, tokenizer, name=name, **options)
