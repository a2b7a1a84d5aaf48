"""Verifiers: what reads an asked and a stored question, and says whether one answer serves both.

A cache asks its verifiers after its guards have compared the facts, cheap to dear: each about the pairs that those
before it are unsure of. Nothing is served on unsure.

Example:
    >>> import headrace
    >>> def alike(pairs):
    ...     plain = lambda question: question.replace("consumption", "use")
    ...     return [plain(asked) == plain(stored) for asked, stored in pairs]
    >>> cache = headrace.SemanticCache(headrace.embedders.static(), verifier=alike)
    >>> key = cache.put("What was the water use in 2023?", "1.2 million m3")
    >>> cache.get("What was the water price in 2023?") is None
    True
    >>> cache.get("What was the water consumption in 2023?").verified
    1.0
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headrace._awaited import awaited
from headrace._core.verify import IS_OPTIMISED, LocalVerifier, SpentMeter
from headrace._late import Late
from headrace.errors import ConfigError, Timeout

if TYPE_CHECKING:
    from concurrent import futures

    from headrace.client import Client
    from headrace.llm_verifier import LlmVerifier
else:
    futures = Late("concurrent.futures")

__all__ = ["CallableVerifier", "LocalVerifier", "callable", "llm", "local"]

#: What a verifier may say of a pair: it is the same, it is not, nothing, or how probable it is that it is the same.
Said: TypeAlias = "bool | float | None"
Pair: TypeAlias = tuple[str, str]

#: What a cache with guards has that is told nothing of verifiers. A build that is not optimised takes most of a second
#: to read a pair, and is for working on headrace: its caches read where they are told to.
_DEFAULT: Any = "local" if IS_OPTIMISED else None
#: The file of the small model that comes with the package.
_MODEL = Path(__file__).parent / "models" / "verifier.safetensors"
#: From this probability on a pair is the same, and down from the other one different.
_SAME_AT, _DIFFERENT_AT = 0.9, 0.1


def local(path: str | Path | None = None) -> LocalVerifier:
    """Make the verifier that runs here: a small model of English questions, some milliseconds a pair, no network.

    The file is read when the first pair is to be judged.

    Args:
        path: A file of the format of the package's own, instead of that one.

    Raises:
        ConfigError: There is no such file.

    Example:
        >>> local("/nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        headrace.errors.ConfigError: /nowhere holds no model of a verifier: ...
    """
    return LocalVerifier(_MODEL if path is None else Path(path))


def llm(
    client: Client,
    *,
    model: str,
    budget: Decimal | int | str | None = None,
    period: str | timedelta = "month",
    timeout: float | timedelta | None = None,
    mode: Literal["now", "later"] = "now",
    first: Any = "local",
    tenant: str = "default",
    keep: int = 65_536,
    **params: Any,
) -> LlmVerifier:
    """Make a verifier that asks a cheap model, about the pairs that the one before it is unsure of.

    All pairs of a question are one request, whose answer is JSON of a schema. Its verdicts are kept, in this process
    and by digest alone, so that no pair is asked about twice. Each request is in the client's ledger under the tag
    ``cache-verification`` and passes by the client's own cache. One that fails, is late or has no budget left is
    unsure: the lookup is a miss.

    Args:
        client: Who is asked; it may be the very client whose cache this verifies for.
        model: As ``provider/model``.
        budget: The most dollars that all requests with that tag may cost in a period: a budget of the client's ledger.
        period: What the budget is for, as `headrace.CostTracker.set_budget` takes it.
        timeout: Seconds that a lookup waits for the model; None is 2 for ``now``, and 60 for ``later``, where no lookup
            waits.
        mode: ``now`` asks while the lookup waits; ``later`` lets the lookup miss and asks behind it, for the next time.
        first: What is asked before: ``"local"``, another verifier, or None.
        tenant: Who pays, in the ledger.
        keep: How many verdicts are kept.
        **params: What the request takes beside the messages, as `headrace.Client.chat` does: ``temperature=0``, or
            ``response_format={"type": "json_object"}`` for a model that knows no schema.

    Raises:
        ConfigError: A setting is unknown or out of its range, or there is no local model and `first` wants it.

    Example:
        >>> import headrace
        >>> asking = headrace.Client([headrace.providers.Simulated()])
        >>> llm(asking, model="simulated/echo", budget="5.00", first=None)
        <LlmVerifier simulated/echo, now>
    """
    from headrace.llm_verifier import LlmVerifier

    return LlmVerifier(
        client,
        model,
        budget=budget,
        period=period,
        timeout=timeout,
        mode=mode,
        first=_line(first),
        tenant=tenant,
        keep=keep,
        params=params,
    )


def callable(
    fn: Callable[[list[Pair]], Any],
    *,
    timeout: float | timedelta | None = None,
    same_at: float = _SAME_AT,
    different_at: float = _DIFFERENT_AT,
    name: str | None = None,
) -> CallableVerifier:
    """Make a verifier of a function of yours.

    Args:
        fn: Takes a list of (asked, stored), and returns a list as long: True, False, None where it is unsure, or a
            probability from 0 to 1. Plain or async. Where it raises, its pairs are unsure.
        timeout: Seconds, or a timedelta, after which its pairs are unsure; it runs on in a thread.
        same_at: From this probability on a pair is the same.
        different_at: Down from this probability on it is different.
        name: What `explain` calls it; the function's own name where None.

    Raises:
        ConfigError: It cannot be called, or a bound is no probability.

    Example:
        >>> callable(lambda pairs: [asked == stored for asked, stored in pairs], name="equal")
        <CallableVerifier equal>
    """
    return CallableVerifier(fn, timeout=timeout, same_at=same_at, different_at=different_at, name=name)


class CallableVerifier:
    """A function as a verifier; `headrace.verifiers.callable` makes it."""

    _meter: SpentMeter | None = None
    _most_at_once = 64
    first: Sequence[Any] = ()

    def __init__(
        self,
        fn: Callable[[list[Pair]], Any],
        *,
        timeout: float | timedelta | None = None,
        same_at: float = _SAME_AT,
        different_at: float = _DIFFERENT_AT,
        name: str | None = None,
    ) -> None:
        if not _is_callable(fn):
            raise ConfigError(f"the verifier is a {type(fn).__name__}: give a function of a list of pairs")
        if not 0 <= different_at < same_at <= 1:
            bounds = f"different_at is {different_at} and same_at {same_at}"
            raise ConfigError(f"{bounds}: give 0 <= different_at < same_at <= 1")
        self._fn, self.same_at, self.different_at = fn, same_at, different_at
        self._timeout = seconds_of(timeout)
        self.name = name if name is not None else getattr(fn, "__name__", type(fn).__name__)

    def _judge(self, pairs: list[Pair]) -> list[Said]:
        if self._timeout is None:
            return list(awaited(self._fn(pairs)))
        landed: futures.Future[list[Said]] = futures.Future()

        def run() -> None:
            try:
                landed.set_result(list(awaited(self._fn(pairs))))
            except BaseException as error:
                landed.set_exception(error)

        threading.Thread(target=run, name="headrace-verifier", daemon=True).start()
        try:
            return landed.result(self._timeout)
        except futures.TimeoutError:
            raise Timeout(f"the verifier {self.name} said nothing in {self._timeout} s: raise its timeout=") from None

    def _recall(self, pairs: list[Pair]) -> list[Said]:
        return self._judge(pairs)

    def __repr__(self) -> str:
        return f"<CallableVerifier {self.name}>"


def seconds_of(value: float | timedelta | None) -> float | None:
    """Seconds, of seconds or a timedelta.

    Args:
        value: How long; None for no limit.

    Raises:
        ConfigError: It is not positive.

    >>> seconds_of(timedelta(minutes=1))
    60.0
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"timeout is {seconds} seconds: give a number above 0, or None")
    return seconds


def _is_callable(given: Any) -> bool:
    return builtins.callable(given)


def _line(given: Any) -> list[Any]:
    """The verifiers that `verifier=` names, in the order in which they are asked."""
    if given is None:
        return []
    if given == "local":
        return [local()]
    if isinstance(given, (list, tuple)):
        return [verifier for one in given for verifier in _line(one)]
    if isinstance(given, LocalVerifier):
        return [given]
    if hasattr(given, "_judge"):
        return [*given.first, given]
    if isinstance(given, (str, bytes, Mapping, bool)) or not _is_callable(given):
        raise ConfigError(
            f'verifier is {given!r}: give "local", one of headrace.verifiers, a function of a list of pairs, a list '
            "of these, or None"
        )
    return [CallableVerifier(given)]
