"""What a file of headrace holds, whether it is what was written, and setting aside what is not."""

from __future__ import annotations

from os import PathLike
from typing import TypedDict

from headrace import _core

__all__ = ["DamagedRow", "FileReport", "RoomReport", "examine"]


class DamagedRow(TypedDict):
    """A row that is not what was written."""

    table: str
    """The table that it stands in."""
    row: int | None
    """Its rowid there; None where the table has none."""
    what: str
    """What is wrong with it."""


class RoomReport(TypedDict):
    """A room in a file: a queue, a cache or the ledger of costs."""

    room: str
    """"queue", "cache" or "costs"."""
    version: int
    """The version of its tables."""
    known: int | None
    """The version that this headrace knows; None where it does not know the room."""
    damaged: list[DamagedRow] | None
    """Rows that are not what was written; None where they were not looked at, since the version is another."""


class FileReport(TypedDict):
    """What a file holds, and what is wrong with it."""

    sound: bool
    """Whether nothing is wrong with it."""
    rooms: list[RoomReport]
    """Its rooms."""
    tables: dict[str, int | None]
    """Its tables, each with its number of rows; None where they cannot be counted."""
    problems: list[str]
    """What SQLite says is wrong with the structure of the file."""
    set_aside: int
    """Damaged rows that were moved to the table `headrace_damaged`, now or before."""


def examine(path: str | PathLike[str], *, repair: bool = False) -> FileReport:
    """Look at all that a file holds: its structure by SQLite's own check, its rows by their checksums.

    Args:
        path: The file.
        repair: Whether to move damaged rows to the table `headrace_damaged`, and to work out sums and indexes anew. The
            report is of the file afterwards. Without, the file stays as it is.

    Returns:
        What it holds, and what is wrong with it.

    Raises:
        StoreError: There is no such file, it is not of headrace, or it cannot be read at all.

    Example:
        >>> import headrace, tempfile
        >>> from headrace.doctor import examine
        >>> folder = tempfile.mkdtemp()
        >>> queue = headrace.RequestQueue(f"sqlite:///{folder}/q.db")
        >>> _ = queue.put("Which scopes are reported?")
        >>> report = examine(f"{folder}/q.db")
        >>> report["sound"], [room["room"] for room in report["rooms"]]
        (True, ['queue'])
    """
    return _core.doctor.diagnose(path, repair)
