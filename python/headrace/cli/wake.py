"""What wakes `headrace serve`: signals, and a configuration file that has changed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Final, Literal

__all__ = ["Watched", "wakes"]

#: How often a file is looked at, in seconds: a look is one `stat`.
_LOOK: Final = 1.0
#: A file that so many looks do not find is gone: between two writes it is missing for less.
_GONE: Final = 3
#: What a pipe carries for a file that has changed; no signal has this number.
_CHANGED: Final = 255

_Stamp = tuple[int, int, int]


class Watched:
    """A file that may change, by what the file system says of it.

    Args:
        path: the file.

    >>> from pathlib import Path
    >>> _ = Path("watched.toml").write_text("a = 1")
    >>> watched = Watched("watched.toml")
    >>> watched.has_changed(), Path("watched.toml").write_text("a = 12"), watched.has_changed()
    (False, 6, True)
    >>> watched.seen()
    >>> watched.has_changed()
    False
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._seen = self.stamp()

    def stamp(self) -> _Stamp | None:
        """When it was written, how long and which file it is: another that is put in its place is one too."""
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def seen(self) -> None:
        """It is about to be read as it is now."""
        self._seen = self.stamp()

    def has_changed(self) -> bool:
        """Whether it is another than was read, or is not there any more."""
        return self.stamp() != self._seen


@contextlib.contextmanager
def wakes(watched: Watched | None) -> Iterator[Iterator[Literal["stop", "read", "changed"]]]:
    """What to do next, one after the other, as it comes.

    Args:
        watched: the file whose changes count.

    Yields:
        An iterator that waits: "stop" at SIGTERM and SIGINT, "read" at SIGHUP, "changed" where the file has.
    """
    reader, writer = os.pipe()
    words: dict[int, Literal["stop", "read", "changed"]] = {_CHANGED: "changed"}
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            words[getattr(signal, name)] = "read" if name == "SIGHUP" else "stop"
    # A pipe may be written to wherever the handler finds the program.
    numbers = [number for number in words if number != _CHANGED]
    before = {number: signal.signal(number, lambda caught, _: os.write(writer, bytes([caught]))) for number in numbers}
    over = threading.Event()
    looks = threading.Thread(target=_look, args=(watched, writer, over), name="headrace-watch", daemon=True)
    if watched is not None:
        looks.start()
    try:
        yield (words[byte] for byte in iter(lambda: os.read(reader, 1)[0], 0))
    finally:
        over.set()
        if watched is not None:
            looks.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _look(watched: Watched, writer: int, over: threading.Event) -> None:
    """Tell of a change once it is whole: two looks have found the same, so that nobody is in the middle of writing."""
    # No stamp is empty: nothing was told yet.
    told: object = ()
    last, same = watched.stamp(), 0
    while not over.wait(_LOOK):
        now = watched.stamp()
        same = same + 1 if now == last else 0
        is_settled = same >= (1 if now is not None else _GONE)
        if watched.has_changed() and is_settled and now != told:
            os.write(writer, bytes([_CHANGED]))
            told = now
        last = now
