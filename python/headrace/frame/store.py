"""The file of a run: which rows are answered, which failed, and what may have been paid when a process died.

Without a file the same tables stand in a database of SQLite's own that goes with the process, so that memory stays flat
however many rows there are.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from headrace.errors import StoreError
from headrace.frame.batch_store import TABLES, BatchTables
from headrace.frame.outcome import Failed, Kept, Outcome

__all__ = ["RunFile", "Sums"]

# "hrmp": says that a file is a run's, in the place that SQLite has for it.
_APPLICATION = 0x68726D70
# 2: batches.
_VERSION = 2
_TABLES = """
CREATE TABLE run (id TEXT PRIMARY KEY, template TEXT, model TEXT, begun TEXT, lost TEXT);
CREATE TABLE answer (
    key BLOB PRIMARY KEY, run TEXT, state BLOB, cells TEXT, cost TEXT, cached INTEGER, model TEXT, tokens INTEGER,
    output INTEGER
) WITHOUT ROWID;
CREATE TABLE failure (key BLOB PRIMARY KEY, run TEXT, kind TEXT, message TEXT, paid TEXT, tries INTEGER) WITHOUT ROWID;
CREATE TABLE sent (key BLOB PRIMARY KEY, run TEXT, worst TEXT) WITHOUT ROWID;
"""
# Of this process alone: which rows it has met, the first of each kind, and which of them are settled for now.
_SEEN = """
CREATE TEMP TABLE seen (key BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID;
CREATE TEMP TABLE refused (key BLOB PRIMARY KEY, kind TEXT, message TEXT) WITHOUT ROWID;
"""
_KEPT = "state, cells, cost, cached, model, tokens, output"


@dataclass(frozen=True)
class Sums:
    """What a file knows of a run's money."""

    spent: Decimal
    """What the kept answers cost."""
    lost: Decimal
    """The most that calls cost whose answers never came back, since their process ended."""


class RunFile:
    """The tables of a run.

    Args:
        path: the file; None for one that goes with the process.
        run: the run's id: another template, model, schema or parameter is another run in the same file.
        template: for people who look into the file.
        model: the same.

    Raises:
        StoreError: the file is something else, newer than this version, or another process runs it.
    """

    def __init__(self, path: str | os.PathLike[str] | None, run: str, template: str, model: str) -> None:
        self.path = None if path is None else Path(path)
        self.run = run
        """The run's id."""
        self.others = 0
        """How many other runs the file holds."""
        self.is_known = False
        """Whether an earlier part of this run stands in it."""
        self.batches = BatchTables(self)
        """Its batches that are under way."""
        try:
            self._open(template, model)
        except BaseException:
            with suppress(AttributeError, sqlite3.Error):
                self.base.close()
            raise

    def _open(self, template: str, model: str) -> None:
        with self.named():
            # The connection is used by one thread at a time, though not always the same one.
            self.base = sqlite3.connect(
                "" if self.path is None else self.path, timeout=1, isolation_level=None, check_same_thread=False
            )
            """The connection."""
            base = self.base
            # Exclusive, so that two processes never pay for the same rows; the system ends the lock with the process.
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            [application], [version] = (
                base.execute(f"PRAGMA {what}").fetchone() for what in ("application_id", "user_version")
            )
            is_new = not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not is_new and application != _APPLICATION:
                raise StoreError(f"{self.path} is no file of a run: give run= another name")
            if version > _VERSION:
                raise StoreError(f"{self.path} is of a newer version of headrace: update it, or give run= another name")
            if self.path is None:
                base.execute("PRAGMA synchronous = OFF")
                base.execute("PRAGMA journal_mode = OFF")
            else:
                base.execute("PRAGMA journal_mode = WAL")
                # An answer that is counted as kept is on the disk.
                base.execute("PRAGMA synchronous = FULL")
            base.execute("BEGIN IMMEDIATE")
            if version < _VERSION:
                # A file of an older version gets what it lacks.
                for statement in (_TABLES if is_new else "").split(";") + TABLES.split(";"):
                    base.execute(statement)
                base.execute(f"PRAGMA application_id = {_APPLICATION}")
                base.execute(f"PRAGMA user_version = {_VERSION}")
            for statement in _SEEN.split(";"):
                base.execute(statement)
            self.others = base.execute("SELECT count(*) FROM run WHERE id != ?", (self.run,)).fetchone()[0]
            self.is_known = base.execute("SELECT 1 FROM run WHERE id = ?", (self.run,)).fetchone() is not None
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            base.execute("INSERT OR IGNORE INTO run VALUES (?, ?, ?, ?, '0')", (self.run, template, model, now))
            self._give_up_sent()
            base.execute("COMMIT")

    def _give_up_sent(self) -> None:
        """What was under way when a process ended may have been paid, and its answer is gone."""
        self.lose(self._sum("worst", "sent"))
        self.base.execute("DELETE FROM sent WHERE run = ?", (self.run,))

    def lose(self, amount: Decimal) -> None:
        """Count an amount as paid for answers that never came back, from the next `commit` on.

        Args:
            amount: dollars.
        """
        with self.named():
            [before] = self.base.execute("SELECT lost FROM run WHERE id = ?", (self.run,)).fetchone()
            self.write("UPDATE run SET lost = ? WHERE id = ?", (str(Decimal(before) + amount), self.run))

    def _sum(self, column: str, table: str) -> Decimal:
        """The sum of amounts, which SQLite would work out as floats."""
        found = self.base.execute(f"SELECT {column} FROM {table} WHERE run = ?", (self.run,))
        return sum((Decimal(amount) for (amount,) in found), Decimal(0))

    @property
    def is_durable(self) -> bool:
        """Whether it outlives the process."""
        return self.path is not None

    def sums(self) -> Sums:
        """What the run has cost so far, in all its parts."""
        with self.named():
            [lost] = self.base.execute("SELECT lost FROM run WHERE id = ?", (self.run,)).fetchone()
            return Sums(self._sum("cost", "answer") + self._sum("paid", "failure"), Decimal(lost))

    def mean_output(self) -> float | None:
        """The mean length of the run's answers, in tokens; None before the first."""
        with self.named():
            found: float | None = self.base.execute(
                "SELECT avg(output) FROM answer WHERE run = ?", (self.run,)
            ).fetchone()[0]
        return found

    def is_new(self, key: bytes, place: int) -> bool:
        """Whether no row of the same content came before; the first of its kind is remembered.

        Args:
            key: the digest of the row's content.
            place: where the row stands.
        """
        with self.named():
            done = self.write("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, place))
        return done.rowcount == 1

    def has(self, key: bytes) -> bool:
        """Whether the row is answered.

        Args:
            key: the digest of the row's content.
        """
        with self.named():
            return self.base.execute("SELECT 1 FROM answer WHERE key = ?", (key,)).fetchone() is not None

    def failed_before(self, key: bytes) -> bool:
        """Whether the row failed in an earlier part of the run.

        Args:
            key: the digest of the row's content.
        """
        with self.named():
            return self.base.execute("SELECT 1 FROM failure WHERE key = ?", (key,)).fetchone() is not None

    def outcome(self, key: bytes, place: int) -> Outcome:
        """What became of a row, after all were asked.

        Args:
            key: the digest of the row's content.
            place: where the row stands: only the first of its kind bears the cost.
        """
        base = self.base
        with self.named():
            if kept := base.execute(f"SELECT {_KEPT} FROM answer WHERE key = ?", (key,)).fetchone():
                first = base.execute("SELECT place FROM seen WHERE key = ?", (key,)).fetchone()
                state, cells, cost, cached, model, tokens, output = kept
                is_first = first is None or first[0] == place
                return Kept(state, cells, Decimal(cost), bool(cached), model, tokens, output, is_first)
            found = base.execute("SELECT kind, message FROM refused WHERE key = ?", (key,)).fetchone()
            found = found or base.execute("SELECT kind, message FROM failure WHERE key = ?", (key,)).fetchone()
        return Failed(*found) if found else Failed("RequestCancelled", "the run ended before this row was answered")

    def send(self, key: bytes, worst: Decimal) -> None:
        """Note that a call goes out, from the next `commit` on.

        Args:
            key: the digest of the row's content.
            worst: the most that it may cost.
        """
        with self.named():
            self.write("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (key, self.run, str(worst)))

    def keep(self, key: bytes, kept: Kept) -> None:
        """Keep an answer, from the next `commit` on.

        Args:
            key: the digest of the row's content.
            kept: the answer.
        """
        with self.named():
            self.write(
                "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    self.run,
                    kept.state,
                    kept.cells,
                    str(kept.cost),
                    kept.cached,
                    kept.model,
                    kept.tokens,
                    kept.output,
                ),
            )
            # Last, so that an interrupt in between leaves the call counted twice rather than not at all.
            self.write("DELETE FROM sent WHERE key = ?", (key,))

    def fail(self, key: bytes, failed: Failed, paid: Decimal) -> None:
        """Note a failure, from the next `commit` on; the next part of the run tries again.

        Args:
            key: the digest of the row's content.
            failed: the failure.
            paid: what it cost all the same.
        """
        with self.named():
            before = self.base.execute("SELECT paid, tries FROM failure WHERE key = ?", (key,)).fetchone()
            total, tries = paid + Decimal(before[0] if before else 0), 1 + (before[1] if before else 0)
            self.write(
                "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?, ?)",
                (key, self.run, failed.kind, failed.message, str(total), tries),
            )
            self.write("DELETE FROM sent WHERE key = ?", (key,))

    def refuse(self, key: bytes, failed: Failed) -> None:
        """Note that a row was not asked this time.

        Args:
            key: the digest of the row's content.
            failed: why not.
        """
        with self.named():
            self.write("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (key, failed.kind, failed.message))
            self.write("DELETE FROM sent WHERE key = ?", (key,))

    def commit(self) -> None:
        """Bring what was noted to the disk, where there is a file."""
        if self.is_durable and self.base.in_transaction:
            with self.named():
                self.base.execute("COMMIT")

    def write(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        """Write inside a transaction, which ends with the next `commit`.

        Args:
            statement: what to write.
            values: its values.
        """
        if not self.base.in_transaction:
            self.base.execute("BEGIN IMMEDIATE")
        return self.base.execute(statement, values)

    def close(self) -> None:
        """Commit and close."""
        with self.named():
            if self.base.in_transaction:
                self.base.execute("COMMIT")
            self.base.close()

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors in words that name the file."""
        try:
            yield
        except sqlite3.Error as error:
            is_busy = "locked" in str(error)
            advice = (
                "another process runs it: wait until it ends, or give run= another name"
                if is_busy
                else "see that the folder is there and writable, and that the disk has room"
            )
            raise StoreError(f"the run's file {self.path}: {error}; {advice}") from None
        # Damage that SQLite does not see: an amount that is none, a row that is gone, a name that is no text.
        except (ArithmeticError, TypeError, ValueError) as error:
            raise StoreError(
                f"the run's file {self.path} is damaged ({error}): bring back a copy of it, or give run= another name"
            ) from error
