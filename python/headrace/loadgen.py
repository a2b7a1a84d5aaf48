"""The load generator: send a workload to a target, open or closed, and see what may be concluded.

Latency is counted from when a request was due, so that a target that stalls is charged for every request it kept
waiting. Times are in seconds, but for figures whose names end in ``_ms``.

Example:
    >>> from headrace.loadgen import Arrivals, Target, open_loop
    >>> from headrace.workload import ESG
    >>> run = open_loop(Target.null(), ESG(seed=1), Arrivals.constant(1000), limit=200)
    >>> run.summary()["succeeded"]
    200
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from headrace._core.load import (
    Arrivals,
    Estimate,
    ProcessSampler,
    Run,
    Target,
    batch_means,
    block_bootstrap,
    clopper_pearson,
    closed_loop,
    least_trials,
    least_values,
    machine_noise,
    mean_interval,
    mser5,
    open_loop,
    quantile_interval,
    quantile_lower_bound,
    quantile_upper_bound,
    rate_lower_bound,
    rate_upper_bound,
    t_quantile,
    theil_sen,
    wilson,
)

__all__ = [
    "Arrivals",
    "Estimate",
    "ProcessSampler",
    "Run",
    "Target",
    "batch_means",
    "block_bootstrap",
    "clopper_pearson",
    "closed_loop",
    "least_trials",
    "least_values",
    "machine_noise",
    "mean_interval",
    "mser5",
    "open_loop",
    "quantile_interval",
    "quantile_lower_bound",
    "quantile_upper_bound",
    "rate_lower_bound",
    "rate_upper_bound",
    "t_quantile",
    "theil_sen",
    "traces",
    "wilson",
]

_loops: dict[int, asyncio.AbstractEventLoop] = {}
_starting = threading.Lock()


def traces() -> dict[str, Path]:
    """The extracts of real traffic that come with the package, for `Arrivals.trace`.

    Example:
        >>> sorted(traces())
        ['azure-2023-code', 'azure-2023-conversation', 'mooncake-synthetic']
        >>> round(Arrivals.trace(traces()["azure-2023-conversation"], speed=10).length)
        21
    """
    folder = Path(__file__).parent / "loadtest" / "data"
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in {".csv", ".jsonl"}}


def is_async(function: Any) -> bool:
    """Whether calling ``function`` gives something to await.

    Example:
        >>> async def answer(request): ...
        >>> is_async(answer), is_async(print)
        (True, False)
    """
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def submit(
    function: Callable[[Any], Awaitable[Any]], request: Any, done: Callable[[Any, BaseException | None], None]
) -> None:
    """Awaits ``function(request)`` on the generator's event loop, and tells ``done`` what came of it.

    Args:
        function: An async callable.
        request: What it is called with.
        done: Called with the result and None, or with None and the exception.
    """

    async def work() -> None:
        try:
            result = await function(request)
        except BaseException as error:
            done(None, error)
        else:
            done(result, None)

    asyncio.run_coroutine_threadsafe(work(), _loop())


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of this process, on a thread of its own: a fork has none of its parent's threads."""
    process = os.getpid()
    with _starting:
        loop = _loops.get(process)
        if loop is None:
            loop = _loops[process] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="headrace-load-async", daemon=True).start()
        return loop
