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
        total: how many calls there are; None where that is not known before the end.
        write: what takes the line; standard error where None.
    """

    def __init__(self, total: int | None, write: Callable[[str], object] | None = None) -> None:
        self._total, self._done, self._hits, self._failed = total, 0, 0, 0
        self._cost: Any = 0
        self._write = write or sys.stderr.write
        self._shown = 0.0
        self._is_open = False

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
            self._line("\n" if is_last else "")

    def end(self) -> None:
        """End the line, where nobody could know which outcome was the last."""
        if self._is_open:
            self._line("\n")

    def _line(self, end: str) -> None:
        total = "" if self._total is None else f"/{self._total}"
        self._write(
            f"\r{self._done}{total} answered, {self._hits} from the cache, {self._failed} failed, {self._cost} USD{end}"
        )
        self._is_open = not end
