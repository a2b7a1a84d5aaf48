"""The way of a map through a provider's batches: hand in, look how far they are, fetch, book.

One generator that says what is to be done next, so that the way is the same waited for and awaited: `Do` is a method of
the core's batches, `Pause` and `COMMIT` are what they say. What it is sent back is what came of it.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from headrace._core.client import Response
from headrace._core.cost import Reservation
from headrace.errors import BudgetExceeded, ConfigError, HeadraceError, LeaseLost, ProviderError, RequestFailed, Timeout
from headrace.frame.store import RunFile
from headrace.frame.work import Question, Settings, Work, questions

__all__ = ["COMMIT", "BatchWay", "Commit", "Do", "Pause"]

_log = logging.getLogger("headrace")
# Seconds between two looks: at first short, for a batch that is small.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# How often what a busy or broken provider refused is asked once more.
_TRIES = 5
# Results that are booked and committed at once: what a kill in between books twice in a ledger that is kept.
_AT_ONCE = 64
_ROWS_OF_A_STEP = 2000
# How long the money stays aside beyond the last look.
_LEASE = 600.0
_GONE = 404


@dataclass(frozen=True)
class Do:
    """A method of the core's batches, to be called or awaited."""

    name: str
    arguments: tuple[Any, ...] = ()
    of: Any = None
    """Whose method it is; None for the batches'."""


@dataclass(frozen=True)
class Pause:
    """Seconds to wait."""

    seconds: float


class Commit:
    """The run's file is to be brought to the disk."""


COMMIT: Final = Commit()
Step: TypeAlias = "Do | Pause | Commit"
Steps: TypeAlias = "Generator[Step, Any, Any]"


@dataclass
class _UnderWay:
    """A batch that was handed in."""

    token: str
    id: str
    hold: Reservation | None


class BatchWay:
    """A map by batches.

    Args:
        settings: what to do.
        store: the run's file.
        work: what takes the outcomes.
        calls: what the next batch is made of.
    """

    def __init__(self, settings: Settings, store: RunFile, work: Work, calls: Any) -> None:
        self._settings, self._store, self._work, self._calls = settings, store, work, calls
        self._under_way: list[_UnderWay] = []
        self._drafted: dict[bytes, tuple[Question, Decimal]] = {}
        self._is_over_budget = False
        # The budget was reckoned before these were lost: they are held as long as this call may hand in more.
        self._lost: list[Reservation | None] = []
        self._until = _deadline(settings.options["timeout"])

    def steps(self) -> Steps:
        """All of it.

        Raises:
            Timeout: the batches were not done in time; the next call goes on with them.
        """
        yield from self._take_up()
        yield from self._hand_in_all()
        yield from self._look_after()

    def _take_up(self) -> Steps:
        """Go on with what an earlier part of the run handed in."""
        batches = self._store.batches
        for noted in batches.all():
            id = noted.id
            if id is None:
                found: str | None = yield from self._patiently(Do("find", (noted.token,)))
                if found is not None:
                    batches.made(noted.token, found)
                id = found
            worst = batches.worst(noted.token)
            held, hold = yield Do("hold_again", (worst, self._settings.call("")))
            # What is under way is paid for. Where it fills the budget, nothing more is handed in.
            self._is_over_budget |= worst > 0 and not held
            if id is None:
                _log.warning("a batch was on its way when the process ended, and is not found: it counts as paid")
                batches.end(noted.token, is_lost=True)
                self._lost.append(hold)
            else:
                self._under_way.append(_UnderWay(noted.token, id, hold))
            yield COMMIT

    def _hand_in_all(self) -> Steps:
        batches = self._store.batches
        for place, (question, failed) in enumerate(questions(self._settings)):
            if place % _ROWS_OF_A_STEP == _ROWS_OF_A_STEP - 1:
                yield Pause(0)
            if not self._work.is_open(question, failed) or batches.has(question.key):
                continue
            call = self._settings.call(question.prompt, fresh=self._store.failed_before(question.key))
            try:
                found = yield Do("add", (question.key.hex(), call, not self._is_over_budget))
            except (HeadraceError, ValueError, TypeError) as error:
                self._work.note(question, error)
                continue
            if isinstance(found, Response):
                self._work.note(question, found)
            elif found is None:
                self._work.note(question, _beyond())
            else:
                self._drafted[question.key] = (question, found)
                if self._calls.is_full:
                    yield from self._hand_in()
        yield from self._hand_in()

    def _hand_in(self) -> Steps:
        """Make a batch of the calls that were added, as far as the budget reaches."""
        rows = list(self._drafted.values())
        self._drafted.clear()
        count, hold = (yield Do("hold")) if rows else (0, None)
        for question, _worst in rows[count:]:
            self._is_over_budget = True
            self._work.note(question, _beyond())
        if count:
            yield from self._make(rows[:count], hold)
        self._calls.clear()
        yield COMMIT

    def _make(self, rows: list[tuple[Question, Decimal]], hold: Reservation | None) -> Steps:
        token, batches = uuid.uuid4().hex, self._store.batches
        try:
            file = yield from self._patiently(Do("upload", (token,)))
            batches.begin(token, [(question.key, worst, question.prompt) for question, worst in rows])
            yield COMMIT
            id = yield from self._patiently(Do("submit", (token, file)), is_paid=True)
        except ProviderError as error:
            id, is_lost = yield from self._perhaps_made(token, error)
            if id is None:
                if is_lost:
                    self._lost.append(hold)
                elif hold is not None:
                    yield Do("release", of=hold)
                for question, _worst in rows:
                    self._work.note(question, error)
                return
        batches.made(token, id)
        yield COMMIT
        self._under_way.append(_UnderWay(token, id, hold))
        _log.info("batch %s: %d requests handed in; leave it if you like, and call again", id, len(rows))

    def _perhaps_made(self, token: str, error: ProviderError) -> Steps:
        """The id of a batch whose making failed. Where no reply came, it may be there, and counts as paid."""
        batches = self._store.batches
        if all(noted.token != token for noted in batches.all()):
            return None, False
        is_unknown = error.status_code is None
        if is_unknown and (id := (yield from self._patiently(Do("find", (token,))))):
            return id, False
        batches.end(token, is_lost=is_unknown)
        return None, is_unknown

    def _look_after(self) -> Steps:
        pause = _FIRST_PAUSE
        while self._under_way:
            for batch in list(self._under_way):
                state = yield from self._state(batch)
                if state is None or state["is_over"]:
                    yield from self._end(batch, state)
                    self._under_way.remove(batch)
                elif batch.hold is not None:
                    try:
                        yield Do("extend", (_LEASE,), of=batch.hold)
                    except LeaseLost:
                        # The machine slept: what is under way is paid for, held or not.
                        batch.hold = None
            if self._under_way:
                left = self._until - time.monotonic()
                if left <= 0:
                    raise Timeout(
                        f"{_named(self._under_way)} under way at the provider when timeout= was over: call again with "
                        f"run={self._settings.run!r} to go on; nothing is asked twice"
                    )
                yield Pause(min(pause, left))
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _state(self, batch: _UnderWay) -> Steps:
        """How far a batch is; None where the provider has it no more."""
        try:
            state = yield from self._patiently(Do("poll", (batch.id,)))
        except ProviderError as error:
            if error.status_code != _GONE:
                raise
            return None
        _log.debug("batch %s is %s: %s", batch.id, state["status"], state)
        return state

    def _end(self, batch: _UnderWay, state: dict[str, Any] | None) -> Steps:
        """Keep the results of a batch; what has none is asked again by the next call."""
        if state is None:
            why = f"the provider has no batch {batch.id} any more: it counts as paid, and is asked again"
        elif state["fault"]:
            why = f"the batch {batch.id} was refused as a whole: {state['fault']}"
        else:
            why = f"the batch {batch.id} is {state['status']}, and has no result for this row"
            yield from self._fetch(batch)
        batches = self._store.batches
        for key in batches.rest(batch.token):
            self._work.note(Question(key, -1, ""), RequestFailed(why), is_fatal=False)
        batches.end(batch.token, is_lost=state is None)
        yield COMMIT
        if batch.hold is not None:
            yield Do("release", of=batch.hold)

    def _fetch(self, batch: _UnderWay) -> Steps:
        for left in range(_TRIES - 1, -1, -1):
            try:
                yield from self._patiently(Do("open", (batch.id,)))
                yield from self._read(batch)
            except ProviderError as error:
                # What was read is kept; from the start once more, the rest is read.
                if not left or not error.is_retryable:
                    raise
                yield Pause(_FIRST_PAUSE)
            else:
                return

    def _read(self, batch: _UnderWay) -> Steps:
        batches = self._store.batches
        while names := (yield Do("take", (_AT_ONCE,))):
            rows: dict[str, Question] = {}
            for name in names:
                key = _key(name)
                prompt = None if key is None else batches.prompt(batch.token, key)
                # A line twice, or of a row that is kept already, has none.
                if key is not None and prompt is not None:
                    rows[name] = Question(key, -1, prompt)
            calls = [
                (name, self._settings.call(row.prompt, fresh=self._store.failed_before(row.key)))
                for name, row in rows.items()
            ]
            for name, outcome in (yield Do("settle", (calls,))):
                self._work.note(rows[name], outcome, is_fatal=False)
                batches.settle(rows[name].key)
            yield COMMIT

    def _patiently(self, step: Do, *, is_paid: bool = False) -> Steps:
        """A step that is tried again where the provider is busy or not to be reached.

        `is_paid`: it is so only where the provider said that it refused, since else it may have been done.
        """
        pause = _FIRST_PAUSE
        for left in range(_TRIES - 1, -1, -1):
            try:
                return (yield step)
            except ProviderError as error:
                if not left or not error.is_retryable or (is_paid and error.status_code is None):
                    raise
                _log.warning("%s: %s; it is tried again", step.name, error)
                yield Pause(max(pause, min(error.retry_after or 0.0, _LONGEST_PAUSE)))
                pause *= 2
        return None


def _key(name: str) -> bytes | None:
    """The row that a result is of; None where it is none of ours."""
    try:
        return bytes.fromhex(name)
    except ValueError:
        return None


def _beyond() -> BudgetExceeded:
    return BudgetExceeded("the budget does not reach this row: raise budget=, and call again")


def _named(batches: list[_UnderWay]) -> str:
    names = ", ".join(batch.id for batch in batches[:3])
    more = f" and {len(batches) - 3} more" if len(batches) > 3 else ""
    return f"the batch {names} is still" if len(batches) == 1 else f"the batches {names}{more} are still"


def _deadline(timeout: Any) -> float:
    """When to leave, by the clock that only goes on."""
    if timeout is None:
        return float("inf")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise ConfigError(f"timeout is {timeout!r}: give seconds of at least 0, a timedelta, or None")
    return time.monotonic() + seconds
