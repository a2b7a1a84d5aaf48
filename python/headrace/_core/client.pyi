from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from headrace._core.cache import Explanations, SemanticCache
from headrace._core.cost import CostTracker, Reservation, Usage
from headrace._core.provider import HttpProvider, Simulated
from headrace._core.queue import RequestQueue
from typing_extensions import Self, disjoint_base, final

@disjoint_base
class Client:
    def __new__(
        cls,
        providers: Sequence[HttpProvider | Simulated],
        *,
        cache: SemanticCache | None,
        queue: RequestQueue,
        costs: CostTracker,
        fallbacks: Mapping[str, Sequence[str]],
        routes: Sequence[tuple[str, Sequence[str], str, Sequence[str]]],
        max_attempts: int,
        max_retry_share: float,
        hedge: float | None,
        adaptive: bool,
    ) -> Self: ...
    def _chat(self, call: dict[str, Any]) -> Response: ...
    def _achat(self, call: dict[str, Any]) -> Awaitable[Response]: ...
    def _stream(self, call: dict[str, Any], finish: Callable[[Any], Any]) -> ChatStream: ...
    def _astream(self, call: dict[str, Any], finish: Callable[[Any], Any]) -> Awaitable[ChatStream]: ...
    def _embed(self, texts: Sequence[str], call: dict[str, Any]) -> npt.NDArray[np.float32]: ...
    def _aembed(self, texts: Sequence[str], call: dict[str, Any]) -> Awaitable[npt.NDArray[np.float32]]: ...
    def _map(self) -> MapRun:
        """Many calls under way, none of them yet."""
    def _batches(self, model: str) -> BatchRun:
        """The batches of a model."""
    def _explain(self, call: dict[str, Any], limit: int) -> Explanations:
        """The entries of the cache nearest to a call's question."""
    def _is_cached(self, call: dict[str, Any]) -> bool:
        """Whether the cache holds the answer to the very question of a call. Nothing is asked or counted."""
    @property
    def models(self) -> list[str]:
        """The models that are known, as `provider/model`; a provider that takes any is not in it."""
    @property
    def routes(self) -> list[str]:
        """The names of the routes."""
    @property
    def _provider_names(self) -> list[str]: ...
    def _metrics(self) -> tuple[dict[str, Any], str]: ...
    def _feed(self, capacity: int) -> CallFeed: ...
    @property
    def concurrency(self) -> dict[str, int]:
        """How many calls go to each provider at once, found out by `adaptive=True`; empty without it."""
    def health(self) -> dict[str, Literal["closed", "open", "half_open"]]:
        """Whether calls go through to each provider: its name, and the state of its circuit breaker."""

@final
class Response:
    """An answer, with where it came from and what it cost.

    It is a value: it can be pickled, compared, and turned into a dict by `to_dict()` or `dict(response)`.
    """

    @property
    def text(self) -> str:
        """The words of the first choice; empty where the model said none."""
    @property
    def texts(self) -> list[str]:
        """The words of every choice, where several were asked for by `n=`."""
    @property
    def reasoning(self) -> str:
        """The thoughts of the model, where the provider shows them; else empty."""
    @property
    def refusal(self) -> str | None:
        """The words in which the model declined; None where it did not."""
    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools that the model asks for, in its order."""
    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, in OpenAI's words; None where it is not told."""
    @property
    def parsed(self) -> Any:
        """The answer as what `response_format` asked for; None where it asked for none, or the answer has another."""
    def _with_parsed(self, parsed: Any) -> Response: ...
    @property
    def usage(self) -> Usage:
        """What the call used; of a cached answer, what it used when it was made."""
    @property
    def cost(self) -> Decimal:
        """What it cost now, in dollars: nothing from the cache."""
    @property
    def saved_cost(self) -> Decimal:
        """What the cache or the choice of a route saved, in dollars."""
    @property
    def estimated(self) -> bool:
        """Whether usage or price were estimated."""
    @property
    def cache(self) -> Literal["exact", "semantic"] | None:
        """How the cache answered; None where the provider did."""
    @property
    def similarity(self) -> float | None:
        """How near the cached question is, for an answer by similarity; else None."""
    @property
    def provider(self) -> str:
        """The provider that answered."""
    @property
    def model(self) -> str:
        """The model that answered, as `provider/model`; it may be a fallback."""
    @property
    def attempts(self) -> int:
        """How often a provider was asked for it, retries and fallbacks in it; 0 from the cache."""
    @property
    def waited(self) -> float:
        """Seconds that it waited for its turns in the queue."""
    @property
    def raw(self) -> Any:
        """The provider's whole reply, in the JSON of its protocol; of a stream, as it would have come whole."""
    @property
    def message(self) -> dict[str, Any]:
        """The first choice as a message of OpenAI's: `[*messages, r.message, {"role": "tool", ...}]`."""
    def to_dict(self) -> dict[str, Any]:
        """All of it but `raw`, as values that JSON has: amounts of money are texts."""
    def keys(self) -> list[str]: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @classmethod
    def _from_state(cls, state: bytes, parsed: Any) -> Response: ...

@final
class ToolCall:
    """A tool that the model asks for."""

    def __new__(cls, id: str, name: str, arguments: str) -> Self: ...
    @property
    def id(self) -> str:
        """The id under which the tool's result is told."""
    @property
    def name(self) -> str:
        """The tool."""
    @property
    def arguments(self) -> str:
        """The arguments as JSON text, as the model wrote it."""
    def to_dict(self) -> dict[str, Any]:
        """As a message of OpenAI's has it: `{"id", "type", "function": {"name", "arguments"}}`."""
    def parse(self) -> Any:
        """The arguments, read.

        Raises:
            ValueError: the model wrote no JSON.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ChatStream:
    """An answer as it comes: iterate over its chunks, with `for` or `async for`.

    Afterwards `response` has the whole answer with its cost. Left before its end (`break`, `close`), the provider is
    told to stop and what was sent so far is booked.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> Chunk: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[Chunk]: ...
    @property
    def response(self) -> Response | None:
        """The whole answer with its cost, after the last chunk; None before."""
    def close(self) -> None:
        """Stops here: the provider is told to stop, and what was sent is booked."""
    def aclose(self) -> Awaitable[None]:
        """As `close`, to be awaited."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(self, *_exception: object) -> Awaitable[None]: ...

@final
class Chunk:
    """A piece of an answer.

    It is a value: it can be pickled, compared, and turned into a dict by `to_dict()`.
    """

    @property
    def text(self) -> str:
        """The words that it adds; may be empty."""
    @property
    def reasoning(self) -> str:
        """The thoughts that it adds; may be empty."""
    @property
    def tool_call(self) -> ToolCall | None:
        """The tool call that it begins, its arguments still empty; None in any other chunk."""
    @property
    def arguments(self) -> str:
        """The JSON text that it adds to a tool call's arguments; may be empty."""
    @property
    def choice(self) -> int:
        """The choice that it belongs to, from 0."""
    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, in OpenAI's words, in the chunk that says so; None in any other."""
    @property
    def raw(self) -> Any:
        """The chunk in the shape of OpenAI's `chat.completion.chunk`, whatever the provider speaks."""
    def to_dict(self) -> dict[str, Any]:
        """All of it but `raw`, as values that JSON has."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    @classmethod
    def _from_state(cls, state: bytes) -> Chunk: ...

@final
class CallFeed:
    """Tells of each call that is over, from its opening on, through a bounded channel: no call waits for a listener."""

    def next(self) -> dict[str, Any] | None:
        """The facts of the next call that is over; it waits for one. None once it is closed and all was told."""
    @property
    def lost(self) -> int:
        """How many calls were not told, since the listener was too slow."""
    def close(self) -> None:
        """Ends what waits in `next`, once all is told that was over before."""

@final
class MapRun:
    """Many calls under way. Closed or dropped, those that run are cancelled."""

    def ask(self, place: int, call: dict[str, Any]) -> None:
        """Sends the call of a place."""
    def next(self) -> tuple[int, Response | BaseException] | None:
        """The next outcome: the place of its call, and the response or the exception.

        Ask first: it waits for what was asked.
        """
    def anext(self) -> Awaitable[tuple[int, Response | BaseException] | None]:
        """As `next`, to be awaited."""
    def take(self, most: int) -> list[tuple[int, Response | BaseException]]:
        """All outcomes that are there, at most so many, waiting for the first."""
    def atake(self, most: int) -> Awaitable[list[tuple[int, Response | BaseException]]]:
        """As `take`, to be awaited."""
    def rest(self) -> list[tuple[int, Response | BaseException]]:
        """The outcomes that are there, without waiting."""
    def close(self) -> None:
        """Cancels what runs."""

@final
class BatchRun:
    """The batches of one model: the calls that the next is made of, and the results that are read."""

    @property
    def is_full(self) -> bool:
        """Whether the calls that were added are as many as one batch holds."""
    def add(self, id: str, call: dict[str, Any], kept: bool) -> Response | Decimal | None:
        """Adds a call by its name.

        The response, where the cache has it; the most that it may cost, where it was added; None, where it is not to be
        `kept`.
        """
    def aadd(self, id: str, call: dict[str, Any], kept: bool) -> Awaitable[Response | Decimal | None]:
        """As `add`, to be awaited."""
    def hold(self) -> tuple[int, Reservation | None]:
        """Sets the worst case of the first calls aside that the budgets have room for; the others are dropped."""
    def ahold(self) -> Awaitable[tuple[int, Reservation | None]]:
        """As `hold`, to be awaited."""
    def hold_again(self, worst: Decimal, call: dict[str, Any]) -> tuple[int, Reservation | None]:
        """Sets an amount aside for a batch that is under way: 1 where there is room, else 0."""
    def ahold_again(self, worst: Decimal, call: dict[str, Any]) -> Awaitable[tuple[int, Reservation | None]]:
        """As `hold_again`, to be awaited."""
    def upload(self, token: str) -> str | None:
        """Hands the calls in, where that comes before the batch is made: the name of the file."""
    def aupload(self, token: str) -> Awaitable[str | None]:
        """As `upload`, to be awaited."""
    def submit(self, token: str, file: str | None) -> str:
        """Makes the batch: its id."""
    def asubmit(self, token: str, file: str | None) -> Awaitable[str]:
        """As `submit`, to be awaited."""
    def clear(self) -> None:
        """Drops the calls that were added."""
    def find(self, token: str) -> str | None:
        """The id of the batch that was made with a token, where it can be found."""
    def afind(self, token: str) -> Awaitable[str | None]:
        """As `find`, to be awaited."""
    def poll(self, id: str) -> dict[str, Any]:
        """How far a batch is."""
    def apoll(self, id: str) -> Awaitable[dict[str, Any]]:
        """As `poll`, to be awaited."""
    def open(self, id: str) -> None:
        """Opens the results of a batch that is over."""
    def aopen(self, id: str) -> Awaitable[None]:
        """As `open`, to be awaited."""
    def take(self, most: int) -> list[str]:
        """The names of the next results, at most so many; none where all were read. Those before are forgotten."""
    def atake(self, most: int) -> Awaitable[list[str]]:
        """As `take`, to be awaited."""
    def settle(self, calls: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, Response | BaseException]]:
        """Books results that were taken, each with its call: the response or the exception of each."""
    def asettle(self, calls: list[tuple[str, dict[str, Any]]]) -> Awaitable[list[tuple[str, Response | BaseException]]]:
        """As `settle`, to be awaited."""
