"""Who computes for whom: so that a computation that asks for its own answer is told, and never waits for itself.

Each shared computation (a flight) has a number. What a flight's computation waits for is written down while it waits;
whoever is about to wait looks whether that would close a circle.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from headrace import _core
from headrace.errors import CircularComputation

__all__ = ["leading", "waiting"]


class _Place(NamedTuple):
    thread: int
    is_async: bool


#: The flights within whose computation this code runs, outermost first.
_chain: ContextVar[tuple[int, ...]] = ContextVar("headrace_flights", default=())
_lock = threading.Lock()
_places: dict[int, _Place] = {}
_waits: dict[int, list[int]] = {}


@contextmanager
def leading(flight: _core.cache.Flight, *, is_async: bool) -> Iterator[None]:
    """Mark the code within as the computation of a flight.

    Args:
        flight: What this caller leads.
        is_async: Whether it runs on this thread's event loop, so that blocking the thread would stop it.
    """
    number = flight.number
    with _lock:
        _places[number] = _Place(threading.get_ident(), is_async)
    token = _chain.set((*_chain.get(), number))
    try:
        yield
    finally:
        _chain.reset(token)
        with _lock:
            del _places[number]


@contextmanager
def waiting(flight: _core.cache.Flight, prompt: str, *, is_async: bool) -> Iterator[bool]:
    """Say whether this caller may wait for a flight; until the end it counts as waiting.

    Args:
        flight: What another caller leads.
        prompt: What is asked, for the message.
        is_async: Whether the caller waits on its event loop, and does not block its thread.

    Yields:
        False where waiting would never end, though the question is no circle: compute it yourself.

    Raises:
        CircularComputation: The flight waits for this caller: it asks for its own answer.
    """
    number, chain = flight.number, _chain.get()
    with _lock:
        reached = _reached(number)
        here = threading.get_ident()
        if number in chain or _places.get(number) == _Place(here, False):
            raise CircularComputation(
                f"computing the answer to {prompt[:60]!r} asks get_or_compute for that answer again: "
                "ask for another prompt or scope inside, or compute it there without the cache"
            )
        blocks_a_leader = not is_async and any(_places.get(flight) == _Place(here, True) for flight in reached)
        may = reached.isdisjoint(chain) and not blocks_a_leader
        if may:
            for lead in chain:
                _waits.setdefault(lead, []).append(number)
    try:
        yield may
    finally:
        if may:
            with _lock:
                for lead in chain:
                    _waits[lead].remove(number)
                    if not _waits[lead]:
                        del _waits[lead]


def _reached(number: int) -> set[int]:
    """The flights that must land before this one does, itself among them."""
    reached, open_ends = {number}, [number]
    while open_ends:
        for further in _waits.get(open_ends.pop(), ()):
            if further not in reached:
                reached.add(further)
                open_ends.append(further)
    return reached


def _after_fork() -> None:
    """The threads that compute and wait are the parent's: none of them is here."""
    global _lock
    _lock = threading.Lock()
    _places.clear()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
