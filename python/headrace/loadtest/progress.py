"""Where a run is, on one line of a terminal that changes; nothing where nobody watches: in CI, into a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest


class Progress:
    """The line.

    Args:
        config: of pytest, which captures what tests write: the line goes past that.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        with self._uncaptured():
            self._watched = sys.stderr.isatty() and not os.environ.get("CI")

    def _uncaptured(self) -> AbstractContextManager[Any]:
        return self._capture.global_and_fixture_disabled() if self._capture else nullcontext()

    def show(self, text: str) -> None:
        """Say where it is, in place of what was said before."""
        self._write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")

    def end(self, text: str) -> None:
        """Leave a line that stays."""
        self._write(f"\r\x1b[K{text}\n")

    def _write(self, text: str) -> None:
        if self._watched:
            with self._uncaptured():
                sys.stderr.write(text)
                sys.stderr.flush()
