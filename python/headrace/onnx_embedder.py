"""Sentence embeddings by ONNX, on this machine: slower than word vectors, and aware of the order of words."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace._extras import command
from headrace.errors import ConfigError, EmbeddingError

__all__ = ["OnnxEmbedder"]

_MODELS = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx", "model_int8.onnx")
_BATCH = 32
#: What stands behind this many letters a token is not read: no vocabulary has longer ones.
_LETTERS_A_TOKEN = 32
_MOST_TOKENS = 512


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
        ValueError: `max_tokens` is not from 1 to 512, or `threads` is below 1.
    """

    def __init__(
        self,
        model: str | Path,
        tokenizer: str | Path,
        *,
        name: str,
        recommended_threshold: float | None = None,
        max_tokens: int = 256,
        threads: int = 1,
    ) -> None:
        if not 1 <= max_tokens <= _MOST_TOKENS:
            raise ValueError(f"max_tokens is {max_tokens}: give 1 to {_MOST_TOKENS}")
        if threads < 1:
            raise ValueError(f"threads is {threads}: give 1 or more")
        model, tokenizer = Path(model).resolve(), Path(tokenizer).resolve()
        for file in (model, tokenizer):
            if not file.is_file():
                raise ConfigError(f"{file} is not there: give a folder with a model.onnx and its tokenizer.json")
        for package in ("onnxruntime", "tokenizers"):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(f"{package} is not installed: {command('minilm')}")
        self.name, self.recommended_threshold = name, recommended_threshold
        self._model, self._tokenizer_file = model, tokenizer
        self._max_tokens, self._threads = max_tokens, threads
        self._loading = (os.getpid(), threading.Lock())
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def from_folder(cls, folder: str | Path, **options: Any) -> OnnxEmbedder:
        """An embedder from a folder as exported by optimum or sentence-transformers, named by folder and content."""
        folder = Path(folder)
        found = next((folder / file for file in _MODELS if (folder / file).is_file()), folder / _MODELS[0])
        name = f"onnx/{folder.resolve().name}"
        if found.is_file():
            with found.open("rb") as file:
                name += "-" + hashlib.blake2b(file.read(1 << 20), digest_size=4).hexdigest()
        return cls(found, folder / "tokenizer.json", name=name, **options)

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """A row of unit length for each text.

        Raises:
            TypeError: The texts are no list of str.
            EmbeddingError: The model cannot be run on them.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TypeError("give a list of texts, each a str")
        tokenizer, session = self._load()
        texts = [text[: self._max_tokens * _LETTERS_A_TOKEN] for text in texts]
        rows = [self._batch(tokenizer, session, texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        return np.concatenate(rows) if rows else np.empty((0, 0), dtype=np.float32)

    def _load(self) -> tuple[Any, Any]:
        if self._loading[0] != os.getpid():
            # A fork may have come while another thread, which is not here, was loading.
            self._loading = (os.getpid(), threading.Lock())
        with self._loading[1]:
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
        try:
            encoded = tokenizer.encode_batch(texts)
        except Exception as error:
            raise EmbeddingError(f"the tokenizer cannot read a text: {error}") from error
        known = {
            "input_ids": [encoding.ids for encoding in encoded],
            "attention_mask": [encoding.attention_mask for encoding in encoded],
            "token_type_ids": [encoding.type_ids for encoding in encoded],
        }
        wanted = [given.name for given in session.get_inputs()]
        if unknown := [name for name in wanted if name not in known]:
            raise EmbeddingError(f"the model wants {', '.join(unknown)}, which a text does not have: give an encoder")
        try:
            outputs = session.run(None, {name: np.asarray(known[name], dtype=np.int64) for name in wanted})
        except Exception as error:
            raise EmbeddingError(f"the model cannot be run: {error}") from error
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
