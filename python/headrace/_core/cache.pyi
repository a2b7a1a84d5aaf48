from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from os import PathLike
from typing import Any, TypeAlias, final, overload

import numpy as np
import numpy.typing as npt
from headrace.cache import CacheStats
from typing_extensions import Self, disjoint_base

from .guard import Guards

__all__ = ["CacheHit", "Calibration", "Explanation", "Explanations", "Flight", "SemanticCache", "scope_of"]

_Vector: TypeAlias = npt.ArrayLike
_Seconds: TypeAlias = float | timedelta
_Dollars: TypeAlias = Decimal | int | float | str
_Scope: TypeAlias = str | Mapping[str, Any] | Sequence[Any] | float | bool | None

@disjoint_base
class SemanticCache:
    """Answers by question: exact repeats, and similar questions that ask the same.

    A lookup first looks for the same prompt. Otherwise the prompt's vector is compared with all of the same tenant
    and scope, exactly and not approximately; of the entries at or above the threshold, nearest first, the first that
    passes the guards serves. Where a verifier reads, the guards compare the facts alone, and of the nearest that pass,
    the best verified one serves. All methods can be called from many threads at once.

    Args:
        embedder: A callable ``list[str] -> array (n, dim)``, plain or async, or one of `headrace.embedders`. None
            finds exact repeats only, unless ``embedding=`` is given.
        threshold: The least cosine similarity of a candidate, -1 to 1. None is what the embedder recommends where
            guards are on, else 0.85; with a verifier, less.
        max_error_rate: Of the answers served for similar questions at most this share is wrong, with a confidence
            of 95 %: nothing is served until the evidence says so. None serves every candidate that passes the guards.
        guards: True for the standard guards, False for none, or a `Guards`.
        verifier: What reads the questions whose facts agree: ``"local"`` for the small model in the package, one of
            `headrace.verifiers`, a function of a list of pairs, or a list of these, cheap to dear. Where it is not
            given: ``"local"`` with guards in an optimised build, else none. None for none: the guards then compare the
            wording too.
        ttl: Seconds that an entry serves, or a timedelta. None is for ever.
        stale_while_revalidate: Seconds after its end that an entry still serves, with ``hit.is_stale``.
        max_entries: The most entries.
        max_bytes: The most bytes that entries take in memory, vectors included.
        url: ``memory://``; ``sqlite:///FILE`` for a cache that opens with what it held; ``redis://HOST``, ``rediss://``,
            ``redis+cluster://``, ``redis+sentinel://`` or ``upstash://`` for one that processes on many machines share
            (see docs/redis.md).

    Raises:
        ConfigError: A setting is unknown or out of its range.
        StoreError: The file cannot be opened, or was written by something else.

    Example:
        >>> cache = headrace.SemanticCache(headrace.embedders.static())
        >>> key = cache.put("What were the Scope 1 emissions in 2023?", "12,400 tCO2e")
        >>> cache.get("Scope 1 emissions 2023, what were they?").response
        '12,400 tCO2e'
        >>> cache.get("What were the Scope 1 emissions in 2024?") is None
        True
    """

    def __new__(
        cls,
        embedder: Any = None,
        *,
        threshold: float | None = None,
        max_error_rate: float | None = None,
        guards: bool | Guards | None = None,
        verifier: Any = ...,
        ttl: _Seconds | None = None,
        stale_while_revalidate: _Seconds | None = None,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        url: str = "memory://",
    ) -> Self: ...
    def put(
        self,
        prompt: str,
        response: Any,
        *,
        embedding: _Vector | None = None,
        scope: _Scope = None,
        tenant: str = "default",
        tags: Sequence[str] = ...,
        ttl: _Seconds | None = None,
        cost: _Dollars | None = None,
    ) -> str | None:
        """Stores an answer, in place of one for the same prompt, tenant and scope.

        Args:
            prompt: The question. An empty one is not stored.
            response: The answer: any JSON value, or bytes.
            embedding: The prompt's vector, instead of the embedder's. Need not be of unit length; a contiguous
                float32 array is not copied.
            scope: What must be equal for the answer to serve: a string or a JSON value.
            tenant: Whose it is: two tenants never share an entry.
            tags: Names by which it can be invalidated.
            ttl: Seconds that it serves, or a timedelta, instead of the cache's own.
            cost: What the answer cost, in dollars: what a hit saves, and a weight at eviction.

        Returns:
            The entry's key: 64 hexadecimal digits. None for an empty prompt.

        Raises:
            EmbeddingError: The vector is zero, not finite, not one-dimensional or of another dimension, or the
                embedder failed. Nothing has changed.
            StoreError: A durable cache's file did not take it.
        """

    def put_many(
        self,
        prompts: Sequence[str],
        responses: Iterable[Any],
        *,
        embeddings: _Vector | None = None,
        scope: _Scope = None,
        tenant: str = "default",
        tags: Sequence[str] = ...,
        ttl: _Seconds | None = None,
        cost: _Dollars | None = None,
    ) -> list[str | None]:
        """`put` for many: all are stored, or none.

        Args:
            prompts: The questions.
            responses: An answer for each.
            embeddings: An array of shape (n, dim), instead of the embedder's.
            scope: Of all.
            tenant: Of all.
            tags: Of all.
            ttl: Of all.
            cost: Of each.
        """

    def get(
        self,
        prompt: str,
        *,
        embedding: _Vector | None = None,
        scope: _Scope = None,
        tenant: str = "default",
        threshold: float | None = None,
    ) -> CacheHit | None:
        """The entry that serves, or None.

        Args:
            prompt: The question. An empty one is a miss.
            embedding: Its vector, instead of the embedder's.
            scope: What must be equal.
            tenant: Who asks.
            threshold: The least cosine, instead of the cache's own.

        Raises:
            EmbeddingError: As for `put`.
        """

    def get_many(
        self,
        prompts: Sequence[str] | None = None,
        *,
        embeddings: _Vector | None = None,
        scope: _Scope = None,
        tenant: str = "default",
        threshold: float | None = None,
    ) -> list[CacheHit | None]:
        """`get` for many, faster than one by one.

        Args:
            prompts: The questions. None: nothing is known but their vectors, so that similarity decides alone.
            embeddings: An array of shape (n, dim), instead of the embedder's.
            scope: Of all.
            tenant: Of all.
            threshold: Of all.
        """

    def explain(
        self,
        prompt: str,
        *,
        embedding: _Vector | None = None,
        scope: _Scope = None,
        tenant: str = "default",
        threshold: float | None = None,
        limit: int = 5,
    ) -> Explanations:
        """The nearest entries, and what each judge says of them: threshold, guard, verifier, policy, expiry, feedback.

        Counts nothing, and asks no model that costs money: of such a verifier it says what it has found before.

        Where the tenant has no entry in the scope asked for, it says how many other scopes hold.

        Args:
            prompt: As for `get`.
            embedding: As for `get`.
            scope: As for `get`.
            tenant: As for `get`.
            threshold: As for `get`.
            limit: How many entries.
        """

    def feedback(self, hit: CacheHit, correct: bool) -> None:
        """Learns whether a hit answered rightly. A wrong entry serves no more, until it is stored anew.

        Args:
            hit: What `get` returned.
            correct: Whether it was right.
        """

    def calibrate(
        self, pairs: Sequence[tuple[str, str, bool]], max_error_rate: float = 0.01, *, confidence: float = 0.95
    ) -> Calibration:
        """The threshold that labelled pairs support. Changes nothing.

        Args:
            pairs: Two questions, and whether one answer serves both.
            max_error_rate: The largest allowed share of wrong answers among those served.
            confidence: How sure that must be.

        Raises:
            ConfigError: The cache has no embedder.
            ValueError: A rate is not between 0 and 1.
        """

    def delete(self, key: str) -> bool:
        """Drops an entry; False where there is none of that key.

        Args:
            key: What `put` returned.
        """

    def invalidate(
        self,
        *,
        tenant: str | None = None,
        tag: str | None = None,
        scope: _Scope = None,
        older_than: _Seconds | None = None,
    ) -> int:
        """Drops the entries for which all that is given holds, and returns how many those were.

        Args:
            tenant: Of this tenant.
            tag: With this tag.
            scope: Of this scope.
            older_than: Stored at least so many seconds ago.

        Raises:
            ValueError: Nothing is given: see `clear`.
        """

    def clear(self) -> None:
        """Drops everything; the next vector may have another dimension."""

    def purge_expired(self) -> int:
        """Drops the entries whose time is over, and returns how many those were."""

    def compact(self) -> None:
        """Writes a durable cache's file anew, so that nothing is left in it of what was dropped."""

    def save(self, path: str | PathLike[str]) -> int:
        """Writes all entries to a file, and returns how many those were. `SemanticCache.load` reads it.

        Args:
            path: The file; one that is there is replaced.
        """

    def stats(self) -> CacheStats:
        """What was counted since the cache was opened: entries, bytes, hits, misses, hit rate, saved cost, and more."""

    @property
    def threshold(self) -> float:
        """The least cosine of a candidate, where a lookup names none."""

    @property
    def verifiers(self) -> list[str]:
        """The names of the verifiers, in the order in which they are asked."""

    @property
    def dimension(self) -> int | None:
        """The dimension of the vectors; None before the first."""

    def _repr_html_(self) -> str: ...
    def _holds(self, prompt: str, scope: _Scope, tenant: str) -> bool: ...
    def _exact(self, prompt: str, scope: _Scope, tenant: str) -> CacheHit | None: ...
    def _embed(self, prompt: str) -> npt.NDArray[np.float32] | None: ...
    def _join(self, prompt: str, scope: _Scope, tenant: str) -> Flight: ...
    def _load(self, path: str | PathLike[str]) -> int: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@final
class CacheHit:
    """An entry that serves. It can be pickled, and compared: equal hits hold the same of the same entry.

    Example:
        >>> cache = headrace.SemanticCache()
        >>> key = cache.put("What is scope 2?", "Purchased energy.", cost="0.002")
        >>> hit = cache.get("What is scope 2?")
        >>> hit.response, hit.kind, hit.saved_cost
        ('Purchased energy.', 'exact', Decimal('0.002'))
    """

    @property
    def response(self) -> Any:
        """The answer as it was put; decoded at each access, so that changing it changes nothing here."""

    @property
    def kind(self) -> str:
        """``exact`` for the same prompt, ``semantic`` for a similar one."""

    @property
    def similarity(self) -> float:
        """The cosine of the two questions; 1.0 for the same prompt."""

    @property
    def verified(self) -> float | None:
        """How probable a verifier found it that the answer serves, 0 to 1; None where none has read it."""

    @property
    def prompt(self) -> str:
        """The prompt under which the answer was stored."""

    @property
    def key(self) -> str:
        """The entry's key, as `SemanticCache.put` returned it."""

    @property
    def age(self) -> float:
        """Seconds since it was stored."""

    @property
    def saved_cost(self) -> Decimal | None:
        """Dollars that the hit saved; None where `cost` was not given."""

    @property
    def is_stale(self) -> bool:
        """Whether its time is over, and it serves until a fresh answer is there."""

    @property
    def hits(self) -> int:
        """How often the entry has served."""

    def to_dict(self) -> dict[str, Any]:
        """The hit as a dict, by the names of its attributes; JSON can hold it but for ``saved_cost``, a Decimal."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Explanation:
    """How near a stored entry is, and what each judge says."""

    @property
    def key(self) -> str:
        """The entry's key."""

    @property
    def prompt(self) -> str:
        """The prompt under which it is stored."""

    @property
    def similarity(self) -> float:
        """The cosine of the two questions."""

    @property
    def serves(self) -> bool:
        """Whether it would be served."""

    @property
    def blocked(self) -> list[str]:
        """What keeps it from serving, as in ``guard: year 2023 differs from 2024``."""

    @property
    def judges(self) -> list[str]:
        """What each judge says, in the order in which they are asked, as in ``expiry: it serves without an end``."""

    def __new__(
        cls,
        key: str,
        prompt: str,
        similarity: float,
        serves: bool,
        blocked: list[str],
        judges: list[str] = ...,
    ) -> Explanation: ...
    def to_dict(self) -> dict[str, Any]:
        """The explanation as a dict, by the names of its attributes."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Explanations:
    """The entries nearest to a question: a sequence of `Explanation`, nearest first.

    Example:
        >>> cache = headrace.SemanticCache()
        >>> key = cache.put("What is scope 2?", "Purchased energy.", scope="energy")
        >>> print(cache.explain("What is scope 2?"))
        no entry of this tenant and scope; another scope of the tenant holds 1 entry: is scope= what the entries were put with?
        >>> print(cache.explain("What is scope 2?", scope="energy")[0])
        1.0000  "What is scope 2?"  serves
                exact: it is the same prompt
                expiry: it serves without an end
    """  # noqa: E501

    def __new__(cls, entries: Sequence[Explanation], in_other_scopes: int) -> Explanations: ...
    @property
    def entries(self) -> tuple[Explanation, ...]:
        """All of them."""

    @property
    def in_other_scopes(self) -> int:
        """How many entries the tenant has in other scopes, none of which can serve."""

    def to_dict(self) -> dict[str, Any]:
        """All as a dict of lists and numbers."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int, /) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[Explanation, ...]: ...
    def __iter__(self) -> Iterator[Explanation]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Calibration:
    """The threshold that labelled pairs support, as `SemanticCache.calibrate` returns it."""

    def __new__(
        cls,
        threshold: float | None,
        interval: tuple[float, float],
        pairs: int,
        served: int,
        wrong: int,
        max_error_rate: float,
        confidence: float,
    ) -> Calibration: ...
    @property
    def threshold(self) -> float | None:
        """Serve from this cosine on; None where the pairs support no threshold."""

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the share of wrong answers among those served, at the confidence asked for."""

    @property
    def error_rate(self) -> float:
        """The share of wrong answers among those served."""

    @property
    def pairs(self) -> int:
        """How many pairs passed the guards."""

    @property
    def served(self) -> int:
        """How many of them the threshold serves."""

    @property
    def wrong(self) -> int:
        """How many of those are wrong."""

    @property
    def max_error_rate(self) -> float:
        """The bound asked for."""

    @property
    def confidence(self) -> float:
        """The confidence asked for."""

    def to_dict(self) -> dict[str, Any]:
        """The calibration as a dict, by the names of its attributes."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Flight:
    """One caller's part in a computation: it leads, or it waits."""

    @property
    def leads(self) -> bool:
        """Whether this caller computes."""

    @property
    def number(self) -> int:
        """What tells the computation from all others of this process: the same for the leader and those who wait."""

    def land(self, value: Any) -> None:
        """Gives the value to all who wait."""

    def fail(self, error: BaseException) -> None:
        """Raises `error` for all who wait."""

    def leave(self) -> None:
        """Lets another take the lead, unless it has landed or failed."""

    def wait(self) -> tuple[Any] | None:
        """The leader's value in a tuple; None where it left."""

    async def await_result(self) -> tuple[Any] | None:
        """The asyncio twin of `wait`."""

def _rebuild_hit(parts: Mapping[str, Any]) -> CacheHit: ...
def scope_of(
    messages: Sequence[Mapping[str, Any]], model: str | None = None, parameters: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """The prompt and the scope of a conversation: see `headrace.scope`."""
