"""The progress of many calls, on a line of standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress"]

_EVERY_SECONDS = 0.1


class Progress:
    """A line on standard error: how many, how many of them from the cache, what they cost.

    Args:
        total: how many calls there are.
        write: what takes the line; standard error where None.
    """

    def __init__(self, total: int, write: Callable[[str], object] | None = None) -> None:
        self._total, self._done, self._hits, self._failed = total, 0, 0, 0
        self._cost: Any = 0
        self._write = write or sys.stderr.write
        self._shown = 0.0

    def __call__(self, outcome: Any) -> None:
        """Count an outcome, and show the line where it was not shown just now."""
        self._done += 1
        if isinstance(outcome, BaseException):
            self._failed += 1
        else:
            self._hits += outcome.cache is not None
            self._cost += outcome.cost
        now, is_last = time.monotonic(), self._done == self._total
        if is_last or now - self._shown >= _EVERY_SECONDS:
            self._shown = now
            self._write(
                f"\r{self._done}/{self._total} answered, {self._hits} from the cache, {self._failed} failed, "
                f"{self._cost} USD" + ("\n" if is_last else "")
            )
