from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from headrace._core.cache import SemanticCache
from headrace._core.cost import CostTracker, Usage
from headrace._core.provider import OpenAICompatible, Simulated
from headrace._core.queue import RequestQueue
from typing_extensions import Self, disjoint_base, final

@disjoint_base
class Client:
    def __new__(
        cls,
        providers: Sequence[OpenAICompatible | Simulated],
        *,
        cache: SemanticCache | None,
        queue: RequestQueue,
        costs: CostTracker,
        fallbacks: Mapping[str, Sequence[str]],
        max_attempts: int,
    ) -> Self: ...
    def _chat(self, call: dict[str, Any]) -> Response: ...
    def _achat(self, call: dict[str, Any]) -> Awaitable[Response]: ...
    def _stream(self, call: dict[str, Any]) -> ChatStream: ...
    def _astream(self, call: dict[str, Any]) -> Awaitable[ChatStream]: ...
    def _embed(self, texts: Sequence[str], call: dict[str, Any]) -> npt.NDArray[np.float32]: ...
    def _aembed(self, texts: Sequence[str], call: dict[str, Any]) -> Awaitable[npt.NDArray[np.float32]]: ...
    @property
    def models(self) -> list[str]:
        """The models that the providers are known to have, as `provider/model`."""
    @property
    def _provider_names(self) -> list[str]: ...

@final
class Response:
    """An answer, with where it came from and what it cost."""

    @property
    def text(self) -> str:
        """The answer."""
    @property
    def usage(self) -> Usage:
        """The tokens."""
    @property
    def cost(self) -> Decimal:
        """What it cost, in USD; 0 from the cache."""
    @property
    def saved_cost(self) -> Decimal:
        """What the cache saved, in USD."""
    @property
    def estimated(self) -> bool:
        """Whether the cost is an estimate."""
    @property
    def cache(self) -> Literal["exact", "semantic"] | None:
        """How the cache answered; None where the provider did."""
    @property
    def similarity(self) -> float | None:
        """How like the stored question is to the one asked, where the cache answered."""
    @property
    def provider(self) -> str:
        """Who answered."""
    @property
    def model(self) -> str:
        """The model that answered, which may be a fallback."""
    @property
    def attempts(self) -> int:
        """How often a provider was asked."""
    @property
    def waited(self) -> float:
        """Seconds in the queue."""
    @property
    def raw(self) -> Any:
        """The reply as the provider sent it."""

@final
class ChatStream:
    """An answer in chunks."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Chunk: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[Chunk]: ...
    @property
    def response(self) -> Response | None:
        """The whole answer, once the last chunk was read."""

@final
class Chunk:
    """A piece of an answer."""

    @property
    def text(self) -> str:
        """Its text."""
    @property
    def finish_reason(self) -> str | None:
        """Why the answer ends here; None before the last."""
    @property
    def raw(self) -> Any:
        """The chunk as the provider sent it."""
