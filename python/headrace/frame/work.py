"""One map over rows: what is asked next, what became of it, what comes back."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from headrace import errors
from headrace._core.client import Response
from headrace._progress import Progress
from headrace.client import Client
from headrace.client import _call as call_of
from headrace.errors import BudgetExceeded, ConfigError, RequestCancelled
from headrace.frame.form import FACTS, Form
from headrace.frame.outcome import Failed, Kept, Outcome
from headrace.frame.source import Source, is_missing
from headrace.frame.store import RunFile
from headrace.frame.template import Prompt, Template

__all__ = ["Question", "Settings", "Work", "longest_of", "questions"]

_log = logging.getLogger("headrace")
# What changes no answer, and so is no part of a run.
_ASIDE = {"priority": "normal", "tenant": "default", "tags": (), "timeout": None, "cache": True}
# Rows that one step looks at before it returns, so that an event loop can turn.
_STEP = 2000
_LONGEST_MESSAGE = 300
_CUT = {"length": "its longest length (max_tokens)", "content_filter": "the provider's content filter"}
# What holds for every row alike: told at once, where no row was answered yet.
_FATAL = (errors.UnknownModel, errors.AuthenticationError, errors.QueueClosed, errors.ConfigError, TypeError)


@dataclass(frozen=True)
class Question:
    """A row that is to be asked."""

    key: bytes
    place: int
    prompt: Prompt


@dataclass
class Settings:
    """What a map is asked to do, checked."""

    client: Client
    source: Source
    template: Template
    form: Form
    model: str
    params: dict[str, Any]
    options: dict[str, Any]
    budget: Decimal | None = None
    concurrency: int = 16
    run: str | None = None
    mode: str = "now"
    run_id: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._check_columns()
        self.params = {**self.form.params, **self.params}
        told = [self.template.given, self.model, self.form.schema, self.params]
        named = json.dumps(told, sort_keys=True, default=str)
        self.run_id = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
        # Without a file there is nothing to go on with: two maps have nothing in common but their words.
        self.tag = f"map={(self.run_id if self.run else uuid.uuid4().hex)[:16]}"
        given = self.options["tags"]
        self.options["tags"] = given if isinstance(given, str) else [*given, self.tag]

    def _check_columns(self) -> None:
        there = self.source.columns
        if there is None:
            return
        if lacking := [name for name in self.template.columns if name not in there]:
            raise ConfigError(
                f"the template names {lacking[0]!r}, which the frame lacks: it has {', '.join(map(repr, there))}"
            )
        if twice := [name for name in there if there.count(name) > 1]:
            raise ConfigError(f"the frame has two columns {twice[0]!r}: rename one")
        added = [column.name for column in (*self.form.columns, *FACTS)]
        if taken := [name for name in added if name in there]:
            raise ConfigError(
                f"the frame has a column {taken[0]!r} already, which the answers would take: rename or drop it"
            )

    def call(self, prompt: Prompt, *, fresh: bool = False) -> dict[str, Any]:
        """The call for a question, as the client's core takes it.

        Args:
            prompt: the question.
            fresh: whether the cache is passed by.
        """
        options = {**self.options, "cache": False} if fresh else self.options
        return call_of(self.model, prompt, **options, params=self.params)[0]

    @staticmethod
    def options_of(params: dict[str, Any]) -> dict[str, Any]:
        """The options of a call, taken out of its parameters.

        Args:
            params: both; the options are removed.
        """
        return {name: params.pop(name, default) for name, default in _ASIDE.items()}

    @staticmethod
    def budget_of(given: Any) -> Decimal | None:
        """The budget in dollars.

        Args:
            given: a Decimal, an integer, text, or None.

        Raises:
            TypeError: it is a float.
            ConfigError: it is no amount.
        """
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, (Decimal, int, str)):
            raise TypeError(f"budget is of type {type(given).__name__}: give a Decimal, an integer or text, as '5.00'")
        try:
            amount = Decimal(given)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            raise ConfigError(f"budget is {given!r}: give an amount in dollars of at least 0, as '5.00'")
        return amount


class Work:
    """The walk over the rows: `feed` says what to ask, `take` hears what became of it, `give` builds what comes back.

    Args:
        settings: what to do.
        store: where it is noted.
        progress: what shows how far it is.
    """

    def __init__(self, settings: Settings, store: RunFile, progress: Progress) -> None:
        self._settings, self._store, self._progress = settings, store, progress
        self._rows = questions(settings)
        self._under_way: dict[int, Question] = {}
        self._told: deque[tuple[int, Response | BaseException]] = deque()
        self._sent = 0
        self._answered = 0
        self.is_at_end = False
        """Whether every row was looked at."""

    @property
    def under_way(self) -> int:
        """How many calls are out."""
        return len(self._under_way)

    def feed(self, most: int) -> list[tuple[int, dict[str, Any]]]:
        """The next calls, each with its place; none where no row that was looked at has to be asked.

        Args:
            most: how many at most.
        """
        calls: list[tuple[int, dict[str, Any]]] = []
        for _ in range(_STEP):
            if len(calls) >= most:
                break
            found = next(self._rows, None)
            if found is None:
                self.is_at_end = True
                break
            question, failed = found
            if self.is_open(question, failed):
                calls.append(self._call(question))
        return calls

    def is_open(self, question: Question, failed: Failed | None) -> bool:
        """Whether a row is to be asked: it is no repetition, has no answer yet, and can be asked.

        Args:
            question: the row.
            failed: why it cannot be asked; None where it can.
        """
        if not self._store.is_new(question.key, question.place) or self._store.has(question.key):
            self._progress.add(hits=1)
        elif failed is not None:
            self._store.refuse(question.key, failed)
            self._progress.add(failed=1)
        else:
            return True
        return False

    def _call(self, question: Question) -> tuple[int, dict[str, Any]]:
        # An answer of the wrong form may be in the cache: what failed is asked anew.
        call = self._settings.call(question.prompt, fresh=self._store.failed_before(question.key))
        if self._store.is_durable:
            self._store.send(question.key, self._worst(question.prompt))
        place = self._sent
        self._under_way[place] = question
        self._sent += 1
        return place, call

    def _worst(self, prompt: Prompt) -> Decimal:
        """The most that a call may cost, as a budget sets it aside."""
        longest = longest_of(self._settings.params)
        try:
            return self._settings.client.costs.quote(self._settings.model, prompt, max_output_tokens=longest).cost
        except (errors.HeadraceError, ValueError, TypeError):
            # A call that cannot be quoted is refused by the client as well.
            return Decimal(0)

    def take(self, told: Sequence[tuple[int, Response | BaseException]]) -> None:
        """Note what became of calls.

        Args:
            told: outcomes, each with the place of its call.

        Raises:
            HeadraceError: it holds for every row alike, and no row was answered.
        """
        # Each is taken off only once it is noted: an interrupt in between loses none.
        self._told.extend(told)
        while self._told:
            place, outcome = self._told[0]
            try:
                if question := self._under_way.get(place):
                    self.note(question, outcome)
            except _FATAL:
                self._taken(place)
                raise
            self._taken(place)

    def _taken(self, place: int) -> None:
        self._under_way.pop(place, None)
        self._told.popleft()

    def note(self, question: Question, outcome: Response | BaseException, *, is_fatal: bool = True) -> None:
        """Note what became of a row.

        Args:
            question: the row.
            outcome: its response or its error.
            is_fatal: whether an error that holds for every row alike is raised, where no row was answered.
        """
        outcome = self._settings.client._finish(outcome, None)
        if isinstance(outcome, Response):
            self._keep(question, outcome)
        elif not isinstance(outcome, Exception) or (is_fatal and isinstance(outcome, _FATAL) and not self._answered):
            raise outcome
        else:
            self._fail(question, outcome)

    def _keep(self, question: Question, response: Response) -> None:
        self._answered += 1
        is_cached, usage = response.cache is not None, response.usage
        try:
            cells = self._settings.form.cells(_whole(response, self._settings.form))
        except ValueError as error:
            self._store.fail(question.key, Failed("ValueError", str(error)[:_LONGEST_MESSAGE]), response.cost)
            self._progress.add(failed=1, cost=response.cost)
            return
        _, (state, _parsed) = cast("tuple[Any, tuple[bytes, Any]]", response.__reduce__())
        tokens = 0 if is_cached else usage.total_tokens
        kept = Kept(state, json.dumps(cells), response.cost, is_cached, response.model, tokens, usage.output_tokens)
        self._store.keep(question.key, kept)
        self._progress.add(hits=int(is_cached), cost=response.cost, answered=int(not is_cached))

    def _fail(self, question: Question, error: Exception) -> None:
        if isinstance(error, BudgetExceeded):
            self._store.refuse(question.key, Failed("budget", str(error)))
            self._progress.add(over=1)
            return
        failed = Failed(type(error).__name__, str(error)[:_LONGEST_MESSAGE])
        self._store.fail(question.key, failed, Decimal(0))
        self._progress.add(failed=1)

    def leave(self, told: Sequence[tuple[int, Response | BaseException]]) -> None:
        """Note what came back until a map was left; the client's hook is told of the calls that did not.

        Args:
            told: as for `take`.
        """
        # An error that ended the map says more than one that comes now.
        with suppress(Exception):
            self.take(told)
        left = RequestCancelled("the map ended before this call did: see the error that it ended with")
        for place in list(self._under_way):
            del self._under_way[place]
            self._settings.client._tell(left)

    def give(self) -> Any:
        """What comes back: the rows once more, each with what became of it."""
        settings = self._settings
        return settings.source.give((*settings.form.columns, *FACTS), self._outcomes(), settings.form)

    def _outcomes(self) -> Iterator[Outcome]:
        for question, _failed in questions(self._settings):
            yield self._store.outcome(question.key, question.place)


def questions(settings: Settings) -> Iterator[tuple[Question, Failed | None]]:
    """Every row's question, with the reason where it cannot be asked.

    Args:
        settings: the rows, and how they are asked.
    """
    start = hashlib.blake2b(settings.run_id.encode(), digest_size=16)
    template = settings.template
    for place, row in enumerate(settings.source.rows(template.columns)):
        failed = None
        try:
            prompt: Prompt = "" if (failed := _lacking(row)) else template.fill(row)
        except (ValueError, TypeError) as error:
            prompt, failed = "", Failed("ValueError", f"the template does not fit the row: {error}"[:_LONGEST_MESSAGE])
        content = prompt if isinstance(prompt, str) else json.dumps(prompt, default=str)
        if failed is not None:
            content = f"{failed.message}\0{sorted(row.items(), key=str)!r}"
        digest = start.copy()
        digest.update(content.encode("utf-8", "surrogatepass"))
        yield Question(digest.digest(), place, prompt), failed


def _lacking(row: Mapping[str, Any]) -> Failed | None:
    """A question with a hole in it is not asked."""
    for name, value in row.items():
        if is_missing(value):
            return Failed("ValueError", f"the column {name!r} has no value in this row: it was not asked")
    return None


def _whole(response: Response, form: Form) -> str:
    """The text of an answer that can be used: a text that was cut is still a text, a table's row is not."""
    text = response.text
    if form.schema is not None or not text:
        if response.refusal is not None:
            raise ValueError("the model declined to answer")
        if response.finish_reason in _CUT:
            raise ValueError(f"the answer was cut by {_CUT[response.finish_reason]}")
    return text


def longest_of(params: Mapping[str, Any]) -> int | None:
    """The most tokens of an answer that the call asks for; None where it does not say.

    Args:
        params: the parameters of the call.
    """
    for name in ("max_completion_tokens", "max_tokens"):
        if isinstance(params.get(name), int):
            return int(params[name])
    return None
