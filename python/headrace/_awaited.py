"""The end of what may be a coroutine, for code that is called where nothing can be awaited."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from headrace._late import Late

if TYPE_CHECKING:
    import asyncio
    import inspect
else:
    asyncio, inspect = Late("asyncio"), Late("inspect")

__all__ = ["awaited"]


def awaited(returned: Any) -> Any:
    """What was returned, or what it comes to where it is an awaitable.

    Args:
        returned: A value, or an awaitable of one.

    >>> async def answer():
    ...     return 7
    >>> awaited(answer()), awaited(8)
    (7, 8)
    """
    return _wait(_await(returned)) if inspect.isawaitable(returned) else returned


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, beside an event loop that this thread may be running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="headrace-awaited", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
