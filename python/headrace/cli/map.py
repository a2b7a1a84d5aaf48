"""`headrace map ...`: a question for each row of a CSV or Parquet file, on the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]


def register(subparsers: Subparsers) -> None:
    """Add `map` to a command's subparsers; it sets `run`, which takes the arguments.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    command = subparsers.add_parser("map", help="a question for each row of a file")
    command.add_argument("file", metavar="FILE", help="the rows, CSV or Parquet")
    command.add_argument("--template", required=True, help="the question, with columns in braces; @FILE reads it")
    command.add_argument("--model", required=True, help="as openai/gpt-4o-mini")
    command.add_argument("--system", metavar="TEXT", help="what the model is told before the question; @FILE reads it")
    command.add_argument("--schema", type=Path, metavar="FILE", help="a JSON schema: its fields are the columns")
    command.add_argument("--budget", metavar="DOLLARS", help="what the run never passes, as 5.00")
    command.add_argument(
        "--run", dest="run_file", metavar="FILE", help="keeps the answers, to go on after an interrupt"
    )
    command.add_argument("-o", "--output", metavar="FILE", help="the answers, CSV or Parquet; else beside the rows")
    command.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    command.add_argument("--temperature", type=float, metavar="T")
    command.add_argument(
        "--mode", choices=("now", "batch"), default="now", help="batch: within a day, at half the price; needs --run"
    )
    command.add_argument("--concurrency", type=int, metavar="N", help="calls that are out at once, 16 where not given")
    command.add_argument("--tenant", default="default", help="whose calls they are")
    command.add_argument("--ledger", metavar="URL", help="where the calls are booked, as sqlite:///costs.db")
    command.add_argument("--dry-run", action="store_true", help="say what it would cost, and ask nothing")
    command.add_argument("--quiet", action="store_true", help="without the line that shows how far it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run `headrace map`: 0 where every row has an answer, 1 where some have an error."""
    import headrace

    template: Any = text(arguments.template)
    if arguments.system:
        # The system's words are not a template: braces in them stay.
        words = text(arguments.system).replace("{", "{{").replace("}", "}}")
        template = [{"role": "system", "content": words}, {"role": "user", "content": template}]
    given = {"max_tokens": arguments.max_tokens, "temperature": arguments.temperature}
    client = headrace.Client(costs=headrace.CostTracker(url=arguments.ledger or "memory://"))
    made = headrace.map(
        arguments.file,
        template,
        model=arguments.model,
        client=client,
        schema=schema(arguments.schema),
        budget=arguments.budget,
        run=arguments.run_file,
        concurrency=arguments.concurrency,
        mode=arguments.mode,
        progress=False if arguments.quiet else "auto",
        dry_run=arguments.dry_run,
        output=arguments.output,
        tenant=arguments.tenant,
        **{name: value for name, value in given.items() if value is not None},
    )
    if arguments.dry_run:
        print(made)
        return 0
    lacking = unanswered(made)
    print(f"{made}: {client.costs.total} USD now" + (f", {lacking:,} rows without an answer" if lacking else ""))
    return 1 if lacking else 0


def unanswered(path: Path) -> int:
    """How many rows of a file of answers have an error.

    Args:
        path: the file that a map wrote.
    """
    from headrace.frame.source.file import FileSource

    return sum(row["_error"] is not None for row in FileSource(path).rows(["_error"]))


def text(given: str) -> str:
    """A text as it is given, or what stands in the file that `@FILE` names.

    Args:
        given: the text, or `@FILE`.
    """
    return Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given


def schema(path: Path | None) -> Any:
    """The JSON schema in a file.

    Args:
        path: the file; None for no schema.

    Raises:
        ConfigError: it is no JSON.
    """
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        from headrace.errors import ConfigError

        raise ConfigError(f"{path} is no JSON: {error}") from None
