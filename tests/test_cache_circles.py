"""Computations that ask for their own answer are told so, and none ever waits for itself."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from headrace import CircularComputation, SemanticCache


def ends(work: Callable[[], Any]) -> Any:
    """The outcome of work on a thread of its own, so that a test that hangs fails and the others go on."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert outcome, "it waits for itself"
    return outcome[0]


def circle(cache: SemanticCache, keys: list[str]) -> Any:
    """Asks for the first key; each one's computation asks for the next."""

    def ask(place: int) -> Any:
        return cache.get_or_compute(keys[place], lambda: ask(place + 1) if place + 1 < len(keys) else "end")

    return ask(0)


async def acircle(cache: SemanticCache, keys: list[str]) -> Any:
    async def ask(place: int) -> Any:
        async def compute() -> Any:
            return await ask(place + 1) if place + 1 < len(keys) else "end"

        return await cache.aget_or_compute(keys[place], compute)

    return await ask(0)


def asked_in_turn(cache: SemanticCache, keys: str, is_async: bool) -> Any:
    return ends(lambda: asyncio.run(acircle(cache, list(keys))) if is_async else circle(cache, list(keys)))


@pytest.mark.parametrize("keys", ["a", "ab", "abc"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_line_is_computed(keys: str, is_async: bool) -> None:
    assert asked_in_turn(SemanticCache(), keys, is_async) == "end"


@pytest.mark.parametrize("keys", ["aa", "aba", "abca", "abcb"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_circle_is_told(keys: str, is_async: bool) -> None:
    cache = SemanticCache()
    outcome = asked_in_turn(cache, keys, is_async)
    assert isinstance(outcome, CircularComputation)
    assert isinstance(outcome, RecursionError)
    assert keys[-1] in str(outcome)
    assert len(cache) == 0
    assert cache.get_or_compute(keys[0], lambda: "after") == "after"


def test_a_task_inside_a_computation_that_asks_for_its_answer_is_told() -> None:
    cache = SemanticCache()

    async def compute() -> Any:
        return await asyncio.gather(cache.aget_or_compute("a", compute), asyncio.sleep(0))

    outcome = ends(lambda: asyncio.run(cache.aget_or_compute("a", compute)))
    assert isinstance(outcome, CircularComputation)


def test_a_synchronous_question_inside_an_async_computation_is_told() -> None:
    cache = SemanticCache()

    async def compute() -> Any:
        return cache.get_or_compute("a", lambda: 1)

    outcome = ends(lambda: asyncio.run(cache.aget_or_compute("a", compute)))
    assert isinstance(outcome, CircularComputation)


def test_an_event_loop_inside_a_computation_is_told() -> None:
    cache = SemanticCache()

    def compute() -> Any:
        return contextvars.Context().run(asyncio.run, cache.aget_or_compute("a", lambda: 1))

    outcome = ends(lambda: cache.get_or_compute("a", compute))
    assert isinstance(outcome, CircularComputation)


def test_a_synchronous_question_does_not_stop_the_loop_whose_task_computes_it() -> None:
    cache = SemanticCache()

    async def main() -> Any:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def compute() -> str:
            started.set()
            await go_on.wait()
            return "by the task"

        task = asyncio.create_task(cache.aget_or_compute("a", compute))
        await started.wait()
        mine = cache.get_or_compute("a", lambda: "by myself")
        go_on.set()
        return mine, await task

    assert ends(lambda: asyncio.run(main())) == ("by myself", "by the task")


def test_two_threads_that_would_wait_for_each_other_both_get_their_answers() -> None:
    cache = SemanticCache()
    both = threading.Barrier(2, timeout=60)

    def cross(own: str, other: str) -> Any:
        def compute() -> Any:
            both.wait()
            return [own, cache.get_or_compute(other, lambda: other)]

        return cache.get_or_compute(own, compute)

    answers: dict[str, Any] = {}
    threads = [
        threading.Thread(target=lambda own=own, other=other: answers.update({own: ends(lambda: cross(own, other))}))
        for own, other in [("a", "b"), ("b", "a")]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(answers) == {"a", "b"}
    for own, other in [("a", "b"), ("b", "a")]:
        # Its own question, and the other's: as the other stored it, or computed for this caller alone.
        assert answers[own] in ([own, other], [own, [other, own]]), answers


def test_two_tasks_that_would_wait_for_each_other_both_get_their_answers() -> None:
    cache = SemanticCache()

    async def main() -> list[Any]:
        here: list[str] = []
        both = asyncio.Event()

        def cross(own: str, other: str) -> Any:
            async def compute() -> Any:
                here.append(own)
                if len(here) == 2:
                    both.set()
                await both.wait()
                return [own, await cache.aget_or_compute(other, lambda: other)]

            return cache.aget_or_compute(own, compute)

        return await asyncio.gather(cross("a", "b"), cross("b", "a"))

    answers = ends(lambda: asyncio.run(main()))
    assert isinstance(answers, list), answers
    assert {answer[0] for answer in answers} == {"a", "b"}


def test_a_computation_that_ended_may_be_asked_for_by_what_it_started() -> None:
    cache = SemanticCache()

    async def main() -> Any:
        later: list[asyncio.Task[Any]] = []
        landed = asyncio.Event()

        async def background() -> Any:
            await landed.wait()
            cache.clear()
            return await cache.aget_or_compute("a", lambda: "anew")

        async def compute() -> str:
            later.append(asyncio.create_task(background()))
            return "first"

        first = await cache.aget_or_compute("a", compute)
        landed.set()
        return first, await later[0]

    assert ends(lambda: asyncio.run(main())) == ("first", "anew")
