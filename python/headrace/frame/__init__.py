"""One call over a frame: a question a row, within a budget, that can be left and taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from headrace.frame.estimate import MapEstimate

if TYPE_CHECKING:
    import os
    from decimal import Decimal

    from headrace._progress import Shown
    from headrace.client import Client

__all__ = ["MapEstimate", "amap", "map"]


def map(
    frame: Any,
    template: str | Sequence[Mapping[str, Any]],
    *,
    model: str,
    client: Client | None = None,
    schema: Any = None,
    budget: Decimal | int | str | None = None,
    run: str | os.PathLike[str] | None = None,
    concurrency: int | None = None,
    mode: Literal["now", "batch"] = "now",
    progress: Shown = "auto",
    dry_run: bool = False,
    output: str | os.PathLike[str] | None = None,
    **params: Any,
) -> Any:
    """Ask a question for each row; the same kind of frame comes back, in order, with the answers in columns.

    The columns are `answer`, or the schema's fields; then `_cost` (dollars, exact), `_cached`, `_model`, `_tokens` and
    `_error`. Equal rows are one call: the first bears the cost, so that `_cost` sums to the bill. A row that fails has
    its error in `_error`, one that the budget did not reach has "budget" there; all others are answered all the same.
    A list or an iterator of texts gives a list of responses, with the exception in the place of one that failed. A CSV
    or Parquet file gives the path of a file with the answers, written a piece at a time.

    Args:
        frame: a frame of pandas, polars, pyarrow or any library with the Arrow C stream interface; texts, or dicts; or
            the path of a CSV or Parquet file.
        template: the question, with columns in braces; or a list of role/content dicts with such contents.
        model: as `provider/model`.
        client: what asks; None makes one from the environment.
        schema: a pydantic model, or the JSON schema of an object: its fields are the answer's columns.
        budget: dollars that the run never passes, in all its parts.
        run: a file that keeps the answers. Interrupt it, or kill the process, and call again: what is answered is not
            paid again, and what failed is tried again. Another template, model, schema or parameter is another run.
        concurrency: how many calls are out at once; None for 16.
        mode: "now", or "batch": the batch API of OpenAI or Anthropic, at the price for that, answered within a day.
            It needs `run=`, whose file keeps the batch: leave it, and the same call goes on with it. `timeout=` is how
            long the call waits.
        progress: whether to show how far it is; "auto" where a line can be rewritten, and in long runs.
        dry_run: ask nothing, and give a `MapEstimate`.
        output: for a file: where the answers go; None is the file's name with `.answers` in it.
        params: as for `Client.chat`: temperature, max_tokens, tenant, tags, timeout, ...

    Raises:
        ConfigError: the template names a column that is not there, or an argument is not possible.
        StoreError: the run's file is something else, or another process runs it.
        UnknownModel: no provider has the model.
        AuthenticationError: the first answer is that the key is wrong.
        Timeout: a batch is not done in time; the next call goes on with it.

    >>> import headrace
    >>> client = headrace.Client(headrace.providers.Simulated(time_to_first_token=0))
    >>> texts = ["travel", "waste", "travel"]
    >>> [r.text for r in headrace.map(texts, "Scope of {text}?", model="simulated/echo", client=client)]
    ['Scope of travel?', 'Scope of waste?', 'Scope of travel?']
    """
    from headrace.frame.drive import drive, settings_of

    settings = settings_of(frame, template, model, client, schema, budget, run, concurrency, mode, output, params)
    return drive(settings, progress, dry_run)


async def amap(
    frame: Any,
    template: str | Sequence[Mapping[str, Any]],
    *,
    model: str,
    client: Client | None = None,
    schema: Any = None,
    budget: Decimal | int | str | None = None,
    run: str | os.PathLike[str] | None = None,
    concurrency: int | None = None,
    mode: Literal["now", "batch"] = "now",
    progress: Shown = "auto",
    dry_run: bool = False,
    output: str | os.PathLike[str] | None = None,
    **params: Any,
) -> Any:
    """As `map`, to be awaited."""
    from headrace.frame.drive import adrive, settings_of

    settings = settings_of(frame, template, model, client, schema, budget, run, concurrency, mode, output, params)
    return await adrive(settings, progress, dry_run)
