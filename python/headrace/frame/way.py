"""How a loop waits: with the thread that runs it, or in asyncio. The loop itself is written once, as a coroutine.

What waits with the thread never suspends, so that such a coroutine runs to its end in one go and needs no event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

__all__ = ["Later", "Now", "Way", "finish"]

T = TypeVar("T")


class Way(Protocol):
    """How a loop waits."""

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that takes its time.

        Args:
            function: the function, which knows nothing of asyncio.
            arguments: its arguments.
        """
        ...

    async def call(self, of: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a method that has a twin for asyncio.

        Args:
            of: the object.
            name: the method's name, without the twin's "a".
            arguments: its arguments.
            keywords: its named arguments.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: for how long; 0 lets others have their turn.
        """
        ...


class Now:
    """Waits with the thread."""

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """See `Way`."""
        return function(*arguments)

    async def call(self, of: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
        """See `Way`."""
        return getattr(of, name)(*arguments, **keywords)

    async def sleep(self, seconds: float) -> None:
        """See `Way`."""
        if seconds > 0:
            time.sleep(seconds)


class Later:
    """Waits in asyncio."""

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """See `Way`."""
        return await asyncio.to_thread(function, *arguments)

    async def call(self, of: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
        """See `Way`."""
        return await getattr(of, "a" + name)(*arguments, **keywords)

    async def sleep(self, seconds: float) -> None:
        """See `Way`."""
        await asyncio.sleep(seconds)


def finish(loop: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits by `Now` alone.

    Args:
        loop: the coroutine.
    """
    try:
        loop.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    finally:
        loop.close()
    raise RuntimeError("the loop waited for an event loop that it does not have: this is a bug of headrace")
