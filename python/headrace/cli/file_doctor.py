"""`headrace doctor FILE`: what a file holds, and whether it is what was written."""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.doctor import FileReport, RoomReport, examine
from headrace.errors import StoreError

__all__ = ["report"]

SOUND, DAMAGED, UNREADABLE = 0, 1, 2


def report(file: str, *, repair: bool) -> int:
    """Print what a file holds and what is wrong with it.

    Args:
        file: The file, or `sqlite:///FILE`.
        repair: Whether to set damaged rows aside, and to work out sums and indexes anew.

    Returns:
        The exit status: 0 sound, 1 damaged, 2 not of headrace or not readable.
    """
    path = Path(file.removeprefix("sqlite:///"))
    try:
        found = examine(path, repair=repair)
    except StoreError as error:
        print(f"headrace: {error}", file=sys.stderr)
        return UNREADABLE
    print("\n".join(_lines(path, found, repair=repair)))
    return SOUND if found["sound"] else DAMAGED


def _lines(path: Path, found: FileReport, *, repair: bool) -> list[str]:
    lines = [f"{path}: {'sound' if found['sound'] else 'damaged'}"]
    lines += [_room(room) for room in found["rooms"]]
    for table, rows in found["tables"].items():
        lines.append(f"  table {table}: {'not readable' if rows is None else f'{rows} rows'}")
    lines += [f"  structure: {problem}" for problem in found["problems"]]
    for room in found["rooms"]:
        for row in room["damaged"] or ():
            lines.append(f"  damaged: {row['table']} row {row['row']}: {row['what']}")
    if found["set_aside"]:
        lines.append(f"  set aside in table headrace_damaged: {found['set_aside']} rows")
    if not found["sound"]:
        lines.append(
            "  what is left cannot be mended here: take a backup, or sqlite3's .recover"
            if repair
            else "  headrace doctor FILE --repair sets damaged rows aside; copy the file first"
        )
    return lines


def _room(room: RoomReport) -> str:
    line = f"  room {room['room']}, version {room['version']}"
    if room["known"] is None:
        return f"{line}: this headrace does not know it"
    if room["known"] > room["version"]:
        return f"{line}: becomes version {room['known']} when it is opened; its rows were not checked"
    if room["known"] < room["version"]:
        return f"{line}: of a newer headrace than this, which knows version {room['known']}; its rows were not checked"
    return line
