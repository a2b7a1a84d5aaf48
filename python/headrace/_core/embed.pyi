import os
from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt

__all__ = ["StaticEmbedder"]

@final
class StaticEmbedder:
    """Static word vectors from two local files: the mean of a text's token rows, of unit length.

    Reads the formats of wordllama and Model2Vec. Works without the GIL, in threads and after a fork, and can be
    pickled (by the paths of its files). :func:`headrace.embedders.static` finds the files for you.

    Args:
        weights: A safetensors file with the rows.
        tokenizer: The tokenizer's JSON file.

    Raises:
        ConfigError: A file is missing, or of another format.
    """

    def __new__(cls, weights: str | os.PathLike[str], tokenizer: str | os.PathLike[str]) -> StaticEmbedder: ...
    @property
    def name(self) -> str:
        """What tells these vectors from others."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    @property
    def recommended_threshold(self) -> float | None:
        """The cosine from which a cache with guards takes an entry for a candidate."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """A row of unit length for each text; zeros for a text without a token.

        Raises:
            EmbeddingError: The tokenizer cannot read a text.
        """

    def __reduce__(self) -> tuple[type[StaticEmbedder], tuple[str, str]]: ...
