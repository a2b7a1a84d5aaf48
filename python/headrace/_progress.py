"""How far many calls are: a line that is rewritten in a notebook and on a terminal, few lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any, Literal

from headrace.errors import ConfigError

__all__ = ["Progress", "Shown"]

Shown = bool | Literal["auto"]
# Seconds between two states of the line.
_ON_TERMINAL, _IN_NOTEBOOK, _ELSEWHERE = 0.1, 0.5, 10.0
# A run that is over sooner says nothing, where nobody asked for it and no line can be rewritten.
_SHORT = 30.0


class Progress:
    """Counts calls, and shows the count: done, hits, failed, spend, time left.

    Args:
        total: how many there are; None where that is not known.
        shown: True, False, or "auto": where a line can be rewritten, and in long runs anywhere else.
        write: what takes the lines; standard error where None.
        clock: seconds, for tests.

    >>> progress = Progress(2, True, write=lambda text: print(text, end=""), clock=lambda: 0.0)
    >>> progress.add(answered=1, cost=Decimal("0.02"))
    >>> progress.add(hits=1)
    >>> progress.close()
    2/2 done, 1 hit, 0 failed, $0.02, 0 s
    """

    def __init__(
        self,
        total: int | None,
        shown: Shown = True,
        write: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if shown not in (True, False, "auto"):
            raise ConfigError(f"progress is {shown!r}: give True, False or 'auto'")
        self._total, self._clock = total, clock
        self._done = self._hits = self._failed = self._over = 0
        self._cost = Decimal(0)
        self._began = clock()
        self._display = _display(write) if shown else _Nothing()
        self._next = self._began + (_SHORT if shown == "auto" and self._display.is_lines else self._display.every)
        self._is_silent_until_long = shown == "auto" and self._display.is_lines

    def __call__(self, outcome: Any) -> None:
        """Count the outcome of a call.

        Args:
            outcome: a response or an exception.
        """
        if isinstance(outcome, BaseException):
            self.add(failed=1)
        else:
            is_hit = outcome.cache is not None
            self.add(hits=int(is_hit), answered=int(not is_hit), cost=outcome.cost)

    def add(self, *, answered: int = 0, hits: int = 0, failed: int = 0, over: int = 0, cost: Decimal | int = 0) -> None:
        """Count rows, and show the line where it was not shown just now.

        Args:
            answered: rows that a provider answered.
            hits: rows that were answered already.
            failed: rows that failed.
            over: rows that the budget did not reach.
            cost: dollars.
        """
        self._done += answered + hits + failed + over
        self._hits += hits
        self._failed += failed
        self._over += over
        self._cost += cost
        now = self._clock()
        if now >= self._next:
            self._next = now + self._display.every
            self._is_silent_until_long = False
            self._display.show(self.line(), is_last=False)

    def close(self) -> None:
        """Show the last line."""
        if not self._is_silent_until_long:
            self._display.show(self.line(), is_last=True)

    def line(self) -> str:
        """The state in words."""
        done = f"{self._done:,}" if self._total is None else f"{self._done:,}/{self._total:,}"
        over = f", {self._over:,} over the budget" if self._over else ""
        hits = f"{self._hits:,} {'hit' if self._hits == 1 else 'hits'}"
        return f"{done} done, {hits}, {self._failed:,} failed{over}, {_dollars(self._cost)}, {self._time()}"

    def _time(self) -> str:
        spent = self._clock() - self._began
        if self._total is None or not 0 < self._done < self._total:
            return _seconds(spent)
        return f"{_seconds(spent / self._done * (self._total - self._done))} left"


class _Nothing:
    every, is_lines = float("inf"), False

    def show(self, line: str, *, is_last: bool) -> None:
        pass


class _Lines:
    """A line now and then, for a log."""

    every, is_lines = _ELSEWHERE, True

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def show(self, line: str, *, is_last: bool) -> None:
        del is_last
        self._write(line + "\n")


class _Terminal:
    """One line that is rewritten."""

    every, is_lines = _ON_TERMINAL, False

    def show(self, line: str, *, is_last: bool) -> None:
        # Goes to the line's start, and clears what a longer one left.
        sys.stderr.write(f"\r{line}\x1b[K" + ("\n" if is_last else ""))
        sys.stderr.flush()


class _Notebook:
    """One output of the cell that is rewritten."""

    every, is_lines = _IN_NOTEBOOK, False

    def __init__(self, display: Callable[..., Any]) -> None:
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, line: str, *, is_last: bool) -> None:
        del is_last
        self._handle.update({"text/plain": line}, raw=True)


def _display(write: Callable[[str], object] | None) -> Any:
    if write is not None:
        return _Lines(write)
    # Only a notebook has IPython with a kernel in it; nothing is imported for this.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is not None:
        return _Notebook(import_module("IPython.display").display)
    if sys.stderr is None:
        return _Nothing()
    return _Terminal() if sys.stderr.isatty() else _Lines(sys.stderr.write)


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${Decimal(f'{amount:.3g}'):f}"


def _seconds(seconds: float) -> str:
    """A span as people say it.

    >>> _seconds(3.4), _seconds(75), _seconds(7300)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
