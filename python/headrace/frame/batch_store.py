"""What a run's file knows of its batches: which rows are in which, and the id by which each is found again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.frame.store import RunFile
    from headrace.frame.template import Prompt

__all__ = ["TABLES", "BatchTables", "Noted"]

TABLES = """
CREATE TABLE IF NOT EXISTS batch (token TEXT PRIMARY KEY, run TEXT, id TEXT, begun TEXT);
CREATE TABLE IF NOT EXISTS batched (key BLOB PRIMARY KEY, token TEXT, worst TEXT, prompt TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batched_by_token ON batched (token);
"""


@dataclass(frozen=True)
class Noted:
    """A batch that was handed in and whose results are not all kept."""

    token: str
    """What names it before the provider does."""
    id: str | None
    """The provider's name for it; None where the process ended before that came back."""


class BatchTables:
    """The tables of a run's batches.

    Args:
        store: the run's file.
    """

    def __init__(self, store: RunFile) -> None:
        self._store = store

    def begin(self, token: str, rows: Iterable[tuple[bytes, Decimal, Prompt]]) -> None:
        """Note that a batch is about to be made, from the next `commit` on.

        Args:
            token: what names it.
            rows: of each row the digest of its content, the most that it may cost, and its question.
        """
        store, now = self._store, datetime.now(timezone.utc).isoformat(timespec="seconds")
        with store.named():
            store.write("INSERT INTO batch VALUES (?, ?, NULL, ?)", (token, store.run, now))
            for key, worst, prompt in rows:
                store.write(
                    "INSERT OR REPLACE INTO batched VALUES (?, ?, ?, ?)", (key, token, str(worst), json.dumps(prompt))
                )

    def made(self, token: str, id: str) -> None:
        """Note the provider's name for a batch, from the next `commit` on.

        Args:
            token: what names it here.
            id: its name.
        """
        with self._store.named():
            self._store.write("UPDATE batch SET id = ? WHERE token = ?", (id, token))

    def all(self) -> list[Noted]:
        """The batches of the run that are under way, the oldest first."""
        store = self._store
        with store.named():
            found = store.base.execute("SELECT token, id FROM batch WHERE run = ? ORDER BY begun, rowid", (store.run,))
            return [Noted(*row) for row in found]

    def has(self, key: bytes) -> bool:
        """Whether a row is in a batch that is under way.

        Args:
            key: the digest of the row's content.
        """
        with self._store.named():
            return self._store.base.execute("SELECT 1 FROM batched WHERE key = ?", (key,)).fetchone() is not None

    def prompt(self, token: str, key: bytes) -> Prompt | None:
        """The question of a row in a batch; None where it is not in it, or is settled.

        Args:
            token: what names the batch.
            key: the digest of the row's content.
        """
        with self._store.named():
            found = self._store.base.execute(
                "SELECT prompt FROM batched WHERE key = ? AND token = ?", (key, token)
            ).fetchone()
            read: Prompt | None = json.loads(found[0]) if found else None
        return read

    def rest(self, token: str) -> list[bytes]:
        """The rows of a batch that are not settled.

        Args:
            token: what names it.
        """
        with self._store.named():
            found = self._store.base.execute("SELECT key FROM batched WHERE token = ?", (token,))
            return [key for (key,) in found]

    def worst(self, token: str) -> Decimal:
        """The most that the rows of a batch cost that are not settled.

        Args:
            token: what names it.
        """
        with self._store.named():
            found = self._store.base.execute("SELECT worst FROM batched WHERE token = ?", (token,))
            return sum((Decimal(amount) for (amount,) in found), Decimal(0))

    def settle(self, key: bytes) -> None:
        """Note that a row has its result, from the next `commit` on.

        Args:
            key: the digest of the row's content.
        """
        with self._store.named():
            self._store.write("DELETE FROM batched WHERE key = ?", (key,))

    def end(self, token: str, *, is_lost: bool = False) -> None:
        """Note that a batch is over, from the next `commit` on.

        Args:
            token: what names it.
            is_lost: whether the rows without a result may have been paid all the same.
        """
        store = self._store
        if is_lost:
            store.lose(self.worst(token))
        with store.named():
            store.write("DELETE FROM batched WHERE token = ?", (token,))
            store.write("DELETE FROM batch WHERE token = ?", (token,))
