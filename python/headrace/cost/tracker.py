"""The cost tracker: the compiled one, with exports, a report, and asyncio twins."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace import _core
from headrace._extras import need
from headrace._late import Late
from headrace.errors import ConfigError, UnknownModel
from headrace.notebook import views

if TYPE_CHECKING:
    import asyncio

    import polars

    from headrace._core.cost import ArrowRecords, CostRecord, Usage
    from headrace.cost.report import Report
else:
    asyncio = Late("asyncio")


MODALITIES = {
    "image": "vision",
    "audio": "audio_input",
    "video": "video_input",
    "pdf": "pdf_input",
    "speech": "audio_output",
}
"""What goes into a model or comes out, by the ability that the price table has for it."""


class CostTracker(_core.cost.CostTracker):
    """Prices calls, keeps budgets, writes the ledger.

    Args:
        prices: A `PriceTable`; the built-in one where it is not given.
        fallback: What a model costs that no list has. `"estimate"`: $10 and $30 a million tokens, never nothing; the
            name of a model, as `"openai/gpt-4o"`: the same as that; a price, as `{"input": "2", "output": "8"}`: that.
            All three mark the record as estimated. `"raise"`: the call fails with `UnknownModel`.
        url: `memory://`; `sqlite:///FILE` for a ledger that survives and that processes share; `redis://HOST`,
            `rediss://`, `redis+cluster://`, `redis+sentinel://` or `upstash://` for one that processes on many machines
            share (see docs/redis.md).
        retention: A timedelta: older records are purged at the next record, then every hour in which there is one. None
            keeps them for good.

    Raises:
        ConfigError: The address or the fallback is not understood.
        UnknownModel: The fallback is a model that no list has.
        StoreError: The file cannot be opened, or the server does not answer.

    >>> import headrace
    >>> costs = headrace.CostTracker()
    >>> usage = headrace.Usage(input_tokens=1000, output_tokens=500)
    >>> costs.record("openai/gpt-4", usage, tenant="acme").cost
    Decimal('0.06')
    >>> costs.set_budget("0.10", tenant="acme", period="day")
    >>> with costs.reserve("openai/gpt-4", usage, tenant="acme") as held:
    ...     held.settle(usage)
    Traceback (most recent call last):
        ...
    headrace.errors.BudgetExceeded: a call of at most $0.06 does not fit ...
    """

    def to_arrow(self, **which: Any) -> ArrowRecords:
        """Give the records through the Arrow PyCapsule interface: `pyarrow.table(costs.to_arrow())`.

        Money is `decimal128(38, 18)`, exact.

        Args:
            **which: `since`, `until` (aware datetimes), `tenant`, `provider`, `model`, `tag`.
        """
        return _core.cost.to_arrow(self, **which)

    def to_pandas(self, **which: Any) -> Any:
        """Give the records as a pandas frame. Needs pandas and pyarrow.

        `cost` is exact, as `Decimal`; `cost_usd` is the same as a float, to be plotted.

        Args:
            **which: As for `to_arrow`.
        """
        need("pandas", "dataframe", "to_pandas()")
        frame = need("pyarrow", "dataframe", "to_pandas()").table(self.to_arrow(**which)).to_pandas()
        frame["cost_usd"] = frame["cost"].astype(float)
        return frame

    def to_polars(self, **which: Any) -> polars.DataFrame:
        """Give the records as a polars frame, without copying. Needs polars.

        Args:
            **which: As for `to_arrow`.
        """
        frame: polars.DataFrame = need("polars", "dataframe", "to_polars()").DataFrame(self.to_arrow(**which))
        return frame

    def to_csv(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
    ) -> int:
        """Write the records as comma-separated values, a row a call; the number of rows.

        Args:
            path: The file; it is replaced as a whole.
            since: From this time on.
            until: Before this time.
            tenant: Only this tenant's.

        Raises:
            StoreError: The file cannot be written.
        """
        return _core.cost.to_csv(self, Path(path), since=since, until=until, tenant=tenant)

    def export_focus(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
    ) -> int:
        """Write paid calls in the FinOps FOCUS format, a row for each kind of token; the number of rows.

        Columns that begin with `x_` are ours: energy, carbon, and the category of the GHG Protocol.

        Args:
            path: The file; it is replaced as a whole.
            since: From this time on.
            until: Before this time.
            tenant: Only this tenant's.

        Raises:
            StoreError: The file cannot be written.
        """
        return _core.cost.export_focus(self, Path(path), since=since, until=until, tenant=tenant)

    def cheapest(
        self,
        candidates: list[str],
        usage: Usage,
        needs: list[str] | None = None,
        *,
        context: int | None = None,
        latency: dict[str, float] | None = None,
        max_latency: float | None = None,
        quality: dict[str, int] | None = None,
        min_quality: int | None = None,
        allow_estimated: bool = False,
    ) -> list[CostRecord]:
        """Quote the candidates that have what is needed, the cheapest first.

        Args:
            candidates: Models, as `provider/model`.
            usage: What the call would use.
            needs: Abilities as the price table names them (`vision`, `function_calling`, `reasoning` ...), or what goes
                in and comes out: `image`, `audio`, `video`, `pdf`, `speech`.
            context: Room for this many input tokens.
            latency: Seconds, or a class of yours, by model; smaller is better.
            max_latency: The most of it; a model without one is left out.
            quality: A class that you give to a model; larger is better.
            min_quality: The least class; a model without one is left out.
            allow_estimated: Whether a model without a known price may be chosen.

        >>> import headrace
        >>> costs = headrace.CostTracker()
        >>> best = costs.cheapest(["openai/gpt-4", "openai/gpt-4o-mini"], headrace.Usage(1000, 500))
        >>> best[0].model
        'gpt-4o-mini'

        Raises:
            ValueError: A need is unknown.
        """
        for name, given in [("candidates", candidates), ("needs", needs)]:
            if isinstance(given, str):
                raise TypeError(f"{name} is one string: give a list of strings")
        fast, good = latency or {}, quality or {}
        kept = [
            name
            for name in candidates
            if (max_latency is None or fast.get(name, float("inf")) <= max_latency)
            and (min_quality is None or good.get(name, min_quality - 1) >= min_quality)
        ]
        wanted = [MODALITIES.get(need, need) for need in needs or []]
        return _core.cost.cheapest(self, kept, usage, needs=wanted, context=context, allow_estimated=allow_estimated)

    def report(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by: str = "model",
        move_to: str | None = None,
        share: Decimal | str = "0.5",
        period: str = "month",
        timezone: str = "UTC",
    ) -> Report:
        """Say where the money went, what the cache saved, what would save more, what is to come, and what is odd.

        `print` shows it as a table, a notebook as a picture.

        Args:
            since: From this time on; by default the start of the period.
            until: Before this time; by default now.
            by: The dimension of the breakdown: `model`, `tenant`, `provider`, `tag:KEY` ...
            move_to: A model to which a share of the calls might move.
            share: The share of the calls that the what-if lines move.
            period: `day`, `week` or `month`: the forecast is for its end.
            timezone: The IANA name of the zone in which days begin.

        Raises:
            ValueError: A name is unknown, or the share is not between 0 and 1.
            TypeError: `since` or `until` is no datetime with a time zone.
            UnknownModel: No list has the model `move_to`.
        """
        try:
            part = Decimal(str(share))
        except InvalidOperation:
            part = Decimal("NaN")
        if not (part.is_finite() and 0 < part <= 1):
            raise ConfigError(f"share {share} is no part: give one above 0 and at most 1, such as 0.5")
        if move_to is not None and self.quote(move_to, _core.cost.Usage(1, 1)).estimated:
            raise UnknownModel(
                f"no price list has the model {move_to!r}, to which calls might move: give provider/model"
            )
        from headrace.cost.report import report

        return report(self, since=since, until=until, by=by, move_to=move_to, part=part, period=period, zone=timezone)

    def _repr_html_(self) -> str:
        return views.costs(self)

    async def arecord(
        self,
        model: str,
        usage: Usage,
        *,
        tenant: str = "default",
        tags: Iterable[str] | None = None,
        at: datetime | None = None,
        cache: str | None = None,
        latency: float | timedelta | None = None,
        attempts: int | None = None,
        usage_estimated: bool = False,
        told_cost: Decimal | int | str | None = None,
    ) -> CostRecord:
        """Record as `record` does, without keeping the event loop waiting for the disk.

        What was used is booked and alerts are told, whether or not the caller still waits.
        """
        booked: Awaitable[CostRecord] = super().arecord(
            model,
            usage,
            tenant=tenant,
            tags=tags,
            at=at,
            cache=cache,
            latency=latency,
            attempts=attempts,
            usage_estimated=usage_estimated,
            told_cost=told_cost,
        )
        return await asyncio.shield(booked)

    def areserve(
        self,
        model: str,
        usage: Usage | str | list[dict[str, Any]],
        *,
        tenant: str = "default",
        tags: Iterable[str] | None = None,
        lease_seconds: float | timedelta | None = None,
        max_output_tokens: int | None = None,
    ) -> AsyncReservation:
        """Reserve as `reserve` does, for `async with`, or to be awaited.

        The caller that awaits it must settle or release; where it is dropped, the money is given back.
        """
        keywords = {
            "tenant": tenant,
            "tags": tags,
            "lease_seconds": lease_seconds,
            "max_output_tokens": max_output_tokens,
        }
        return AsyncReservation(super().areserve, model, usage, keywords)

    async def ato_csv(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
    ) -> int:
        """Write as `to_csv` does, on a thread."""
        return await asyncio.to_thread(self.to_csv, path, since=since, until=until, tenant=tenant)

    async def aexport_focus(
        self,
        path: str | Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
    ) -> int:
        """Write as `export_focus` does, on a thread."""
        return await asyncio.to_thread(self.export_focus, path, since=since, until=until, tenant=tenant)


class AsyncReservation:
    """Money set aside for a call that runs: enter it with `async with`, or await it."""

    def __init__(self, reserve: Any, model: str, usage: Any, keywords: dict[str, Any]) -> None:
        self._start = (reserve, model, usage, keywords)
        self._held: _core.cost.Reservation | None = None

    async def __aenter__(self) -> AsyncReservation:
        reserve, model, usage, keywords = self._start
        self._held = await reserve(model, usage, **keywords)
        return self

    def __await__(self) -> Generator[Any, None, AsyncReservation]:
        return self.__aenter__().__await__()

    async def __aexit__(self, *_error: object) -> None:
        if self._held is not None:
            self._held.forget()

    async def asettle(
        self,
        usage: Usage,
        *,
        model: str | None = None,
        cache: str | None = None,
        latency: float | timedelta | None = None,
        attempts: int | None = None,
        usage_estimated: bool = False,
        told_cost: Decimal | int | str | None = None,
    ) -> CostRecord:
        """Book what the call did use and give the rest back, as `Reservation.asettle`.

        What was used is booked and alerts are told, whether or not the caller still waits.
        """
        booked: Awaitable[CostRecord] = self._entered().asettle(
            usage,
            model=model,
            cache=cache,
            latency=latency,
            attempts=attempts,
            usage_estimated=usage_estimated,
            told_cost=told_cost,
        )
        return await asyncio.shield(booked)

    async def settle(
        self,
        usage: Usage,
        *,
        model: str | None = None,
        cache: str | None = None,
        latency: float | timedelta | None = None,
        attempts: int | None = None,
        usage_estimated: bool = False,
        told_cost: Decimal | int | str | None = None,
    ) -> CostRecord:
        """The same as `asettle`."""
        return await self.asettle(
            usage,
            model=model,
            cache=cache,
            latency=latency,
            attempts=attempts,
            usage_estimated=usage_estimated,
            told_cost=told_cost,
        )

    async def arelease(self) -> bool:
        """Give the money back; whether it was still set aside."""
        return await self._entered().arelease()

    async def aextend(self, seconds: float | timedelta) -> None:
        """Make the money stay aside for so many seconds from now (or a timedelta)."""
        await self._entered().aextend(seconds)

    @property
    def reserved(self) -> Decimal:
        """The worst case, in dollars."""
        return self._entered().reserved

    def release(self) -> None:
        """Give the money back, without waiting until that is on disk."""
        self._entered().forget()

    def _entered(self) -> _core.cost.Reservation:
        if self._held is None:
            raise RuntimeError("this reservation was not entered: use it with `async with`, or await it")
        return self._held
