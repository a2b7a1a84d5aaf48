from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, final

from headrace.cost.estimate import Estimate
from headrace.cost.results import Alert, BudgetStatus, CostLine, SummaryRow, TrackerStats
from typing_extensions import Self, disjoint_base

@final
class Usage:
    """What a call used. Input holds all input (cached, cache writes, audio), output all output (reasoning, audio).

    Args:
        input_tokens: All input.
        output_tokens: All output.
        cached_input_tokens: Input read from the provider's prompt cache.
        cache_write_tokens: Input written to it, for however long.
        reasoning_tokens: Output that the model thought.
        input_audio_tokens: Input that was sound and was not read from the cache.
        output_audio_tokens: Output that was sound.
        service_tier: `batch`, `flex`, `priority`, `fast` (Anthropic's fast mode), or None.
        batch: The same as `service_tier="batch"`.
        requests: Calls.
        cache_write_1h_tokens: The part of the cache writes that is for an hour.
        input_image_tokens: Input that was images and was not read from the cache.
        output_image_tokens: Output that was images.
        images: Images made.
        searches: Web searches made.

    Raises:
        ValueError: A part is larger than its whole, or the tier is unknown.
    """

    def __new__(
        cls,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_input_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        input_audio_tokens: int = 0,
        output_audio_tokens: int = 0,
        service_tier: str | None = None,
        batch: bool = False,
        requests: int = 1,
        *,
        cache_write_1h_tokens: int = 0,
        input_image_tokens: int = 0,
        output_image_tokens: int = 0,
        images: int = 0,
        searches: int = 0,
    ) -> Usage: ...
    @staticmethod
    def from_response(response: object) -> Usage:
        """Read a provider's reply: a dict, JSON text or bytes, an SDK's object, or the usage in it alone.

        A streamed reply is the list of its chunks, or its text (server-sent events, JSON lines), whole or in lines.

        Raises:
            ValueError: There is no usage in it, or a count is not a whole number.
        """

    @staticmethod
    def estimate(model: str, messages: object, *, max_output_tokens: int | None = None) -> Usage:
        """Count before a call, offline: what to set aside for messages (or a text) and the longest answer."""

    def to_dict(self) -> dict[str, Any]:
        """The counts by name, and the tier."""

    @property
    def total_tokens(self) -> int: ...
    @property
    def input_image_tokens(self) -> int: ...
    @property
    def output_image_tokens(self) -> int: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cached_input_tokens(self) -> int: ...
    @property
    def cache_write_tokens(self) -> int: ...
    @property
    def cache_write_1h_tokens(self) -> int: ...
    @property
    def reasoning_tokens(self) -> int: ...
    @property
    def input_audio_tokens(self) -> int: ...
    @property
    def output_audio_tokens(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def searches(self) -> int: ...
    @property
    def requests(self) -> int: ...
    @property
    def service_tier(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...

@final
class PriceTable:
    """Prices by `provider/model`."""

    @staticmethod
    def builtin() -> PriceTable:
        """Give the table that comes with the package."""

    @staticmethod
    def empty() -> PriceTable:
        """Give a table without models: everything is an estimate."""

    @staticmethod
    def load(path: str | PathLike[str]) -> PriceTable:
        """Give the built-in table with the models of a TOML file over it; `docs/prices.md` has the form.

        Raises:
            ConfigError: The file cannot be read, a key is unknown, or a price is no exact amount.
        """

    def set(self, model: str, **prices: Any) -> None:
        """Set a model's prices, in dollars a million tokens, or for one image, search or request.

        Args:
            model: `provider/model`.
            prices: By kind: `input`, `output`, `cached_input`, `cache_write`, `cache_write_1h`, `reasoning`,
                `input_audio`, `output_audio`, `input_image`, `output_image`, `image`, `search`, `request`, each also
                as `input@batch` (a tier) or `input>200000` (a longer input), a Decimal, an integer or text;
                `since`, `until`, `hours`, `days`: when they hold, else always; `context`: tokens of input at most.

        Raises:
            ValueError: The name is not `provider/model`, or a kind or a time is not understood.
            TypeError: A price is a float.
        """

    def get(self, model: str, at: datetime | None = None) -> dict[str, Any] | None:
        """Give what `info` gives and the prices that hold at a time, as `set` takes them; None where no list has it."""

    def info(self, model: str) -> dict[str, Any]:
        """Give what is known of a model: provider, model, mode, context, max_output, abilities, source, version.

        Raises:
            UnknownModel: No list has it.
        """

    def models(self) -> list[str]:
        """List every `provider/model`."""

    def __contains__(self, model: str, /) -> bool: ...
    def __len__(self) -> int: ...

@final
class CostRecord:
    """One call in the ledger. Its fields are worked out when they are read."""

    @property
    def id(self) -> str | None:
        """Unique in the ledger; None for a quote."""

    @property
    def time(self) -> datetime:
        """When, in UTC; of a reserved call, when it was reserved."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def tags(self) -> list[str]: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def cost(self) -> Decimal:
        """What was paid, in dollars."""

    @property
    def told_cost(self) -> Decimal | None:
        """What the provider says that the call cost, in dollars; None where it says nothing."""

    @property
    def saved(self) -> Decimal:
        """Dollars saved: what a cached answer would have cost, or a route's choice was below its dearest model."""

    @property
    def lines(self) -> list[CostLine]:
        """The amount by kind: `kind`, `quantity`, `unit_price`, `amount`."""

    @property
    def estimated(self) -> bool:
        """Whether the price or the usage is an estimate: no list has the model, or the provider gave no usage."""

    @property
    def price_version(self) -> str: ...
    @property
    def zone(self) -> str:
        """The zone whose electricity is counted; `own` where factors were set; empty where the footprint is unknown."""

    @property
    def cache(self) -> str | None:
        """`exact`, `semantic`, or None where a provider was paid."""

    @property
    def latency(self) -> float | None:
        """Seconds."""

    @property
    def attempts(self) -> int: ...
    @property
    def energy_wh(self) -> Estimate | None:
        """Watt-hours, by EcoLogits' method; None where the model's size is unknown."""

    @property
    def co2e_g(self) -> Estimate | None:
        """Grams of CO2 equivalent, of use and manufacture."""

    @property
    def co2e_embodied_g(self) -> Estimate | None:
        """The part that making the hardware caused."""

    @property
    def water_l(self) -> Estimate | None:
        """Litres."""

    @property
    def avoided_co2e_g(self) -> Estimate | None:
        """Grams that a cached answer avoided."""

    def to_dict(self) -> dict[str, Any]:
        """All of the record as a dictionary: its attributes by name, the usage as a dictionary of its own."""

    def keys(self) -> list[str]:
        """The names of its fields: a record is a mapping, so that a list of them is a frame with columns."""
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __getitem__(self, name: str, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> CostRecord: ...
    def __reduce__(self) -> tuple[Any, tuple[str]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Reservation:
    """Money set aside for a call that runs. Leaving the `with` block without `settle` gives it back."""

    @property
    def reserved(self) -> Decimal:
        """The worst case, in dollars."""

    def settle(
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
        """Book what the call did use and give the rest back.

        Args:
            usage: What it did use.
            model: Another model, where that answered.
            cache: `exact` or `semantic`, where the cache answered.
            latency: Seconds that the provider took.
            attempts: How often it was asked.
            usage_estimated: Whether the usage is an estimate: the record says so.
            told_cost: What the provider says that the call cost, in dollars.

        Where the ledger cannot be written, the record has no `id`, is kept in memory and written later.
        What fails books nothing, and leaves the money aside: settle again, or release it.

        Raises:
            ValueError: The reservation is over already.
            UnknownModel: No list has the model, and the fallback is to raise.
        """

    def asettle(
        self,
        usage: Usage,
        *,
        model: str | None = None,
        cache: str | None = None,
        latency: float | timedelta | None = None,
        attempts: int | None = None,
        usage_estimated: bool = False,
        told_cost: Decimal | int | str | None = None,
    ) -> Awaitable[CostRecord]:
        """Settle as `settle` does, to be awaited."""

    def release(self) -> bool:
        """Give the money back; whether there was any left to give."""

    def arelease(self) -> Awaitable[bool]:
        """The same as `release`, to be awaited."""

    def forget(self) -> None:
        """Give the money back without waiting until that is on disk."""

    def extend(self, seconds: float | timedelta) -> None:
        """Make the lease last so long from now.

        Raises:
            LeaseLost: It has ended.
        """

    def aextend(self, seconds: float | timedelta) -> Awaitable[None]:
        """The same as `extend`, to be awaited."""

    def __enter__(self) -> Reservation: ...
    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None: ...

@final
class ArrowRecords:
    """Records for any reader of the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@disjoint_base
class CostTracker:
    """The compiled part of `headrace.CostTracker`."""

    def __new__(
        cls,
        *,
        prices: PriceTable | None = None,
        fallback: str | dict[str, Any] = ...,
        url: str = "memory://",
        retention: float | timedelta | None = None,
    ) -> Self: ...
    def record(
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
        """Write a call into the ledger; with `sqlite:///`, return when it is on disk.

        A call that was not reserved is a fact: it counts in budgets, and is not refused.

        Args:
            model: The model, as `provider/model`.
            usage: What it used; of a cached answer, what it would have used.
            tenant: Who it is for.
            tags: More of who it is for, as `project=csrd`.
            at: When; now where it is not given.
            cache: `exact` or `semantic` where the cache answered: the cost is then zero, and `saved` what it would be.
            latency: Seconds that the provider took; bounds the energy of its servers.
            attempts: How often the provider was asked.
            usage_estimated: Whether the usage is an estimate: the record says so.
            told_cost: What the provider says that the call cost, in dollars.

        Where the ledger cannot be written, the record has no `id`, is kept in memory and written later.

        Raises:
            ValueError: An argument is not possible.
        """

    def arecord(
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
    ) -> Awaitable[CostRecord]:
        """Record as `record` does, to be awaited: nothing else waits for the disk."""

    def quote(
        self,
        model: str,
        usage: Usage | str | list[dict[str, Any]],
        *,
        at: datetime | None = None,
        max_output_tokens: int | None = None,
    ) -> CostRecord:
        """Give the same figures, recording nothing.

        Args:
            model: The model, as `provider/model`.
            usage: What it uses; or the text or the messages of a call, whose most tokens are then estimated.
            at: When; now where it is not given.
            max_output_tokens: For a text, the most output that the call asks for; else the model's longest.
        """

    def reserve(
        self,
        model: str,
        usage: Usage | str | list[dict[str, Any]],
        *,
        tenant: str = "default",
        tags: Iterable[str] | None = None,
        lease_seconds: float | timedelta | None = None,
        max_output_tokens: int | None = None,
    ) -> Reservation:
        """Set the worst case of a call aside in every budget that covers it.

        Args:
            model: The model, as `provider/model`.
            usage: The most that it uses; or the text or the messages of the call, as for `quote`.
            tenant: Who it is for.
            tags: More of who it is for.
            lease_seconds: How long the money stays aside where nobody settles or releases it, 600 s where it is not
                given; also a timedelta.
            max_output_tokens: As for `quote`.

        Raises:
            BudgetExceeded: It does not fit; nothing is set aside.
        """

    def areserve(
        self,
        model: str,
        usage: Usage | str | list[dict[str, Any]],
        *,
        tenant: str = "default",
        tags: Iterable[str] | None = None,
        lease_seconds: float | timedelta | None = None,
        max_output_tokens: int | None = None,
    ) -> Any:
        """Reserve as `reserve` does, to be awaited."""

    def set_budget(
        self,
        limit: Decimal | int | str,
        *,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        period: str | timedelta | None = None,
        timezone: str = "UTC",
        on_exceed: str = "reject",
        alert_at: Sequence[float | Decimal | str] | None = None,
        alerts: Callable[[Alert], object] | None = None,
    ) -> None:
        """Set a budget, or change the limit of the one with the same scope, period and zone.

        What the ledger already holds counts. Without a scope it covers everything.

        Args:
            limit: Dollars.
            tenant: Only calls for this tenant; `"*"` is the same limit for each tenant, also those yet unknown.
            provider: Only calls of this provider.
            model: Only calls of this model.
            tag: Only calls with this tag.
            period: `hour`, `day`, `week`, `month` (where it is not given), `ever`, or a rolling length:
                `rolling 24h` or a timedelta.
            timezone: The IANA name of the zone in which the period begins.
            on_exceed: `reject` a call that does not fit, or `warn` in the log.
            alert_at: Fractions of the limit; 0.5, 0.8 and 1 where they are not given.
            alerts: Called with a dictionary when spending crosses a fraction, by the process whose call did.

        Raises:
            ValueError: An argument is not possible.
            TypeError: The limit is a float.
        """

    def aset_budget(
        self,
        limit: Decimal | int | str,
        *,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        period: str | timedelta | None = None,
        timezone: str = "UTC",
        on_exceed: str = "reject",
        alert_at: Sequence[float | Decimal | str] | None = None,
        alerts: Callable[[Alert], object] | None = None,
    ) -> Awaitable[None]:
        """The same as `set_budget`, to be awaited."""

    def remove_budget(
        self,
        *,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        period: str | timedelta | None = None,
        timezone: str = "UTC",
    ) -> bool:
        """Remove the budget with this scope, period and zone; whether there was one."""

    def aremove_budget(
        self,
        *,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        period: str | timedelta | None = None,
        timezone: str = "UTC",
    ) -> Awaitable[bool]:
        """The same as `remove_budget`, to be awaited."""

    def budgets(self) -> list[BudgetStatus]:
        """Give every budget, and what of it is `spent`, `reserved` and `remaining`.

        Of a budget for each tenant there is one with `part_of` None, then the part of each tenant, with his name.
        """

    def abudgets(self) -> Awaitable[list[BudgetStatus]]:
        """The same as `budgets`, to be awaited."""

    @property
    def total(self) -> Decimal:
        """All that was paid, in dollars, exactly."""

    def atotal(self) -> Awaitable[Decimal]:
        """The same as `total`, to be awaited."""

    def summary(
        self,
        by: str | Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: str | None = None,
        timezone: str = "UTC",
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
    ) -> list[SummaryRow]:
        """Sum by dimensions and spans of time. Each call is in one row: the rows of any summary add up to the total.

        Args:
            by: `provider`, `model`, `tenant`, `tags`, `tag:KEY`, `estimated`, `price_version`, `zone`.
            since: From this time on.
            until: Before this time.
            bucket: `hour`, `day`, `week` or `month`.
            timezone: The zone in which the spans begin.
            tenant: Only this tenant's.
            provider: Only this provider's.
            model: Only this model's.
            tag: Only with this tag.

        Raises:
            ValueError: A name is unknown.
        """

    def asummary(
        self,
        by: str | Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: str | None = None,
        timezone: str = "UTC",
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
    ) -> Awaitable[list[SummaryRow]]:
        """The same as `summary`, to be awaited."""

    def records(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[CostRecord]:
        """Give the records that pass, in the order in which they were written."""

    def arecords(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Awaitable[list[CostRecord]]:
        """The same as `records`, to be awaited."""

    def purge(self, before: datetime) -> int:
        """Forget the records before a time; how many there were. Budgets keep what they know."""

    def apurge(self, before: datetime) -> Awaitable[int]:
        """The same as `purge`, to be awaited."""

    def drain(self, path: str | PathLike[str]) -> int:
        """Move all records of a ledger in Redis to one in a file, each once; how many there were.

        Budgets keep what they know. One that was cut off is run again, into the same file.

        Args:
            path: The file; where it is missing it is made.

        Raises:
            ConfigError: The ledger is not in Redis.
            StoreError: Either cannot be written, or another process drains it.
        """

    def adrain(self, path: str | PathLike[str]) -> Awaitable[int]:
        """The same as `drain`, to be awaited."""

    def flush(self, timeout: float | timedelta | None = None) -> int:
        """Write the records that the ledger could not take yet; how many still wait when the time is over."""

    def aflush(self, timeout: float | timedelta | None = None) -> Awaitable[int]:
        """The same as `flush`, to be awaited."""

    def set_emission_factors(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        zone: str | None = None,
        co2e_g_per_kwh: float | None = None,
        water_l_per_kwh: float | None = None,
        pue: float | None = None,
        wue: float | None = None,
        total_parameters: float | tuple[float, float] | None = None,
        active_parameters: float | tuple[float, float] | None = None,
    ) -> None:
        """Replace factors for the calls that follow; what is recorded keeps its own.

        Args:
            provider: Only for this provider.
            model: Only for this model, without its provider.
            zone: ISO 3166-1 alpha-3 code of the electricity, or `WOR`.
            co2e_g_per_kwh: Carbon intensity of the electricity.
            water_l_per_kwh: Water of the electricity.
            pue: Power usage effectiveness, at least 1.
            wue: Water usage effectiveness on site, in litres a kilowatt-hour.
            total_parameters: All parameters, in billions, or their bounds.
            active_parameters: Active parameters, in billions, or their bounds.

        Raises:
            ValueError: A zone is unknown or a figure impossible.
        """

    def stats(self) -> TrackerStats:
        """Count `records`, `estimated`, `refused`, `unknown_footprint` since the tracker was opened.

        `waiting` are the records that are kept in memory until the ledger can be written.
        """

def to_arrow(
    tracker: CostTracker,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    tag: str | None = None,
) -> ArrowRecords: ...
def to_csv(
    tracker: CostTracker,
    path: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
) -> int: ...
def export_focus(
    tracker: CostTracker,
    path: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
) -> int: ...
def cheapest(
    tracker: CostTracker,
    candidates: list[str],
    usage: Usage,
    *,
    needs: list[str] = ...,
    context: int | None = None,
    allow_estimated: bool = False,
) -> list[CostRecord]: ...
def estimate(
    model: str, output_tokens: int, *, latency: float | None = None, zone: str | None = None
) -> dict[str, Estimate] | None:
    """Give the footprint of one call; None where the model's size is unknown.

    Raises:
        ValueError: The name has no provider, or the zone is unknown.
    """
