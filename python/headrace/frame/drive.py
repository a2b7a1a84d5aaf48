"""The loop of a map: ask, note, commit, go on; written once, for threads and for asyncio (see `headrace.frame.way`)."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from headrace._core.client import MapRun
from headrace._progress import Progress, Shown
from headrace.client import Client
from headrace.errors import ConfigError
from headrace.frame.batch import BatchWay, Commit, Pause, Step
from headrace.frame.form import Form
from headrace.frame.reckon import estimate
from headrace.frame.source import source_of
from headrace.frame.store import RunFile
from headrace.frame.template import Template
from headrace.frame.way import Later, Now, Way, finish
from headrace.frame.work import Settings, Work

__all__ = ["adrive", "drive", "settings_of"]

_log = logging.getLogger("headrace")
_CONCURRENCY = 16


def drive(settings: Settings, progress: Shown, dry_run: bool) -> Any:
    """Ask for every row.

    Args:
        settings: what to do.
        progress: whether to show how far it is.
        dry_run: whether only to say what it would cost.
    """
    return finish(_drive(settings, progress, dry_run, Now()))


async def adrive(settings: Settings, progress: Shown, dry_run: bool) -> Any:
    """As `drive`, to be awaited.

    Args:
        settings: what to do.
        progress: whether to show how far it is.
        dry_run: whether only to say what it would cost.
    """
    return await _drive(settings, progress, dry_run, Later())


async def _drive(settings: Settings, progress: Shown, dry_run: bool, way: Way) -> Any:
    with _store_of(settings) as store:
        if dry_run:
            return await way.work(estimate, settings, store)
        async with _within_budget(settings, store, way):
            shown = Progress(settings.source.count, progress)
            work = Work(settings, store, shown)
            if settings.mode == "batch":
                await _by_batches(settings, store, work, shown, way)
            else:
                await _by_calls(settings, store, work, shown, way)
        return await way.work(work.give)


async def _by_calls(settings: Settings, store: RunFile, work: Work, shown: Progress, way: Way) -> None:
    calls = settings.client._map()
    try:
        while _is_on(work):
            given = _next_calls(work, settings)
            if store.is_durable:
                await way.work(store.commit)
            _ask(calls, work, given)
            if _is_full(work, settings):
                work.take(await way.call(calls, "take", settings.concurrency))
            else:
                await way.sleep(0)
    finally:
        _end(calls, work, store, shown)


async def _by_batches(settings: Settings, store: RunFile, work: Work, shown: Progress, way: Way) -> None:
    calls = settings.client._batches(settings.model)
    steps = BatchWay(settings, store, work, calls).steps()
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            step: Step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                if isinstance(step, Commit):
                    await way.work(store.commit)
                elif isinstance(step, Pause):
                    await way.sleep(step.seconds)
                else:
                    answer = await way.call(calls if step.of is None else step.of, step.name, *step.arguments)
            except BaseException as failure:
                error = failure
    except StopIteration:
        pass
    finally:
        store.commit()
        shown.close()


def settings_of(
    frame: Any,
    template: Any,
    model: str,
    client: Client | None,
    schema: Any,
    budget: Any,
    run: str | os.PathLike[str] | None,
    concurrency: int | None,
    mode: str,
    output: str | os.PathLike[str] | None,
    params: dict[str, Any],
) -> Settings:
    """The arguments of a map, checked. They are those of `headrace.map`."""
    if mode not in ("now", "batch"):
        raise ConfigError(f"mode is {mode!r}: give 'now' or 'batch'")
    if mode == "batch" and run is None:
        raise ConfigError(
            "mode='batch' needs run=, as in run='q3.db': a batch takes up to a day, and the file keeps its id"
        )
    if concurrency is None:
        concurrency = _CONCURRENCY
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= 100_000:
        raise ConfigError(f"concurrency is {concurrency!r}: give a whole number from 1 to 100000")
    if client is not None and not isinstance(client, Client):
        raise ConfigError(f"client is of type {type(client).__name__}: give a headrace.Client, or None")
    if schema is not None and "response_format" in params:
        raise ConfigError("schema and response_format say the same: give schema alone")
    for name in ("messages", "stream"):
        if name in params:
            raise ConfigError(f"{name} has no place in a map: the template makes the messages, and answers come whole")
    options = Settings.options_of(params)
    client = Client() if client is None else client
    if mode == "batch":
        # Refused before anything is read: a provider that takes no batches, or a model that nobody serves.
        client._batches(model)
    return Settings(
        client=client,
        source=source_of(frame, output=output),
        template=Template(template),
        form=Form(schema),
        model=model,
        params=params,
        options=options,
        budget=Settings.budget_of(budget),
        concurrency=concurrency,
        run=None if run is None else os.fspath(run),
        mode=mode,
    )


@contextmanager
def _store_of(settings: Settings) -> Iterator[RunFile]:
    store = RunFile(settings.run, settings.run_id, settings.template.given, settings.model)
    try:
        if store.others and not store.is_known:
            _log.warning(
                "%s holds %d other run(s), of another template, model, schema or parameters: this is a run of its own, "
                "and their answers are not used",
                store.path,
                store.others,
            )
        if settings.mode == "now" and (under_way := store.batches.all()):
            raise ConfigError(
                f"{store.path} holds {len(under_way)} batch(es) under way, whose rows would be paid twice: call with "
                "mode='batch' until they are done"
            )
        yield store
    finally:
        store.close()


@dataclass(frozen=True)
class _Budget:
    """The part of a run's budget that is left, as a budget of the client's ledger over the run's tag."""

    limit: Decimal
    tag: str

    @property
    def keywords(self) -> dict[str, Any]:
        return {"tag": self.tag, "period": "ever"}


def _budget_of(settings: Settings, store: RunFile, booked: Decimal) -> _Budget | None:
    if settings.budget is None:
        return None
    sums = store.sums()
    # What an earlier part of the run paid counts once: by the ledger where that is kept, else by the run's file.
    earlier = max(sums.spent + sums.lost - booked, Decimal(0))
    return _Budget(max(settings.budget - earlier, Decimal(0)), settings.tag)


@asynccontextmanager
async def _within_budget(settings: Settings, store: RunFile, way: Way) -> AsyncIterator[None]:
    costs = settings.client.costs
    booked = sum((row["cost"] for row in await way.call(costs, "summary", tag=settings.tag)), Decimal(0))
    budget = _budget_of(settings, store, booked)
    if budget is None:
        yield
        return
    await way.call(costs, "set_budget", budget.limit, alert_at=[], **budget.keywords)
    try:
        yield
    finally:
        await way.call(costs, "remove_budget", **budget.keywords)


def _is_on(work: Work) -> bool:
    return not work.is_at_end or work.under_way > 0


def _next_calls(work: Work, settings: Settings) -> list[tuple[int, dict[str, Any]]]:
    room = settings.concurrency - work.under_way
    return work.feed(room) if room > 0 and not work.is_at_end else []


def _ask(calls: MapRun, work: Work, given: list[tuple[int, dict[str, Any]]]) -> None:
    """Send the calls; one that is not valid is an outcome of its own."""
    for place, call in given:
        try:
            calls.ask(place, call)
        except Exception as error:
            work.take([(place, error)])


def _is_full(work: Work, settings: Settings) -> bool:
    """Whether there is something to wait for before more is looked at."""
    return work.under_way > 0 and (work.is_at_end or work.under_way >= settings.concurrency)


def _end(calls: MapRun, work: Work, store: RunFile, shown: Progress) -> None:
    """Cancel what is out; what came back until now is kept."""
    calls.close()
    work.leave(calls.rest())
    store.commit()
    shown.close()
