"""`headrace cost ...`: what a ledger holds, on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cli.location import existing
from headrace.cost import CostTracker
from headrace.cost.report import zone_of

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]


def register(subparsers: Subparsers) -> None:
    """Add `cost` and its verbs to a command's subparsers; each sets `run`, which takes the arguments.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    cost = subparsers.add_parser("cost", help="what calls cost")
    verbs = cost.add_subparsers(dest="verb", required=True)
    for name, run, text in [
        ("summary", summary, "sums by dimensions and spans of time"),
        ("records", records, "the calls themselves"),
        ("export", export, "write CSV or FOCUS"),
        ("report", report, "where the money went and what would save some"),
        ("purge", purge, "forget old records"),
        ("drain", drain, "move the records of a ledger in Redis to a file"),
    ]:
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("url", metavar="LEDGER", help="the ledger: sqlite:///FILE, or the file; or redis://HOST")
        verb.set_defaults(run=run)
        if name == "purge":
            verb.add_argument(
                "--before",
                type=moment,
                required=True,
                metavar="TIME",
                help="the records before this time, as 2026-01-01",
            )
            continue
        if name == "drain":
            verb.add_argument("path", type=Path, metavar="FILE", help="the file, made where it is missing")
            continue
        verb.add_argument("--since", type=moment, metavar="TIME", help="from this time on, as 2026-11-01")
        verb.add_argument("--until", type=moment, metavar="TIME", help="before this time")
        if name == "report":
            verb.add_argument("--by", default="model", help="the dimension of the breakdown")
            verb.add_argument("--move-to", help="a model to which a share of the calls might move")
            verb.add_argument("--share", default="0.5", help="the share of the calls that might")
            verb.add_argument("--period", default="month", help="day, week or month: the forecast is for its end")
            verb.add_argument("--timezone", default="UTC", help="the zone in which days begin, as Europe/Berlin")
            verb.add_argument("--html", type=Path, metavar="FILE", help="write the picture there, too")
            continue
        verb.add_argument("--tenant", help="only this tenant's calls")
        if name == "export":
            verb.add_argument("path", type=Path, help="the file to write")
            verb.add_argument("--format", choices=["csv", "focus"], default="csv")
            continue
        verb.add_argument("--json", action="store_true", help="for programs")
        if name == "summary":
            verb.add_argument("--by", default="provider,model", help="dimensions, separated by commas")
            verb.add_argument("--bucket", choices=["hour", "day", "week", "month"])
            verb.add_argument("--timezone", default="UTC", help="the zone in which they begin, as Europe/Berlin")
        else:
            verb.add_argument("--limit", type=count, default=20, help="at most so many, the newest first")


def moment(text: str) -> datetime:
    """Read an ISO date or time; without a zone it is UTC."""
    try:
        # Python 3.10 does not know the Z.
        found = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        wish = "write it as 2026-11-01 or 2026-11-01T08:00:00Z"
        raise argparse.ArgumentTypeError(f"{text!r} is no date or time: {wish}") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def count(text: str) -> int:
    """Read a whole number from zero on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number of at least 0")
    return int(text)


def ledger(url: str) -> CostTracker:
    """Open a ledger that is there: who looks into one does not want a new one."""
    return CostTracker(url=existing(url, "ledger", "CostTracker"))


def summary(arguments: argparse.Namespace) -> int:
    """Run `headrace cost summary`."""
    by = [name for name in arguments.by.split(",") if name]
    rows = ledger(arguments.url).summary(
        by,
        since=arguments.since,
        until=arguments.until,
        bucket=arguments.bucket,
        timezone=arguments.timezone,
        tenant=arguments.tenant,
    )
    zone = zone_of(arguments.timezone)
    for row in rows:
        if arguments.bucket:
            row["start"] = row["start"].astimezone(zone)
        if row["calls_of_unknown_footprint"] == row["calls"]:
            # Unknown is not zero.
            row["energy_wh"] = row["co2e_g"] = None  # type: ignore[typeddict-item]
    figures = ["calls", "cache_hits", "estimated_calls", "cost", "saved", "energy_wh", "co2e_g"]
    shown = (["start"] if arguments.bucket else []) + by + figures
    write([{name: row[name] for name in shown} for row in rows], arguments.json)  # type: ignore[literal-required]
    return 0


def records(arguments: argparse.Namespace) -> int:
    """Run `headrace cost records`."""
    found = ledger(arguments.url).records(
        since=arguments.since, until=arguments.until, tenant=arguments.tenant, limit=arguments.limit, newest_first=True
    )
    shown = ["id", "time", "tenant", "provider", "model", "cost", "estimated", "cache"]
    write([{name: getattr(record, name) for name in shown} for record in found], arguments.json)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Run `headrace cost export`."""
    costs = ledger(arguments.url)
    run = costs.export_focus if arguments.format == "focus" else costs.to_csv
    count = run(arguments.path, since=arguments.since, until=arguments.until, tenant=arguments.tenant)
    print(f"{count} rows in {arguments.path}")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Run `headrace cost report`."""
    made = ledger(arguments.url).report(
        since=arguments.since,
        until=arguments.until,
        by=arguments.by,
        move_to=arguments.move_to,
        share=arguments.share,
        period=arguments.period,
        timezone=arguments.timezone,
    )
    print(made)
    if arguments.html is not None:
        page = f'<!doctype html>\n<meta charset="utf-8">\n<title>Cost</title>\n{made._repr_html_()}\n'
        arguments.html.write_text(page, encoding="utf-8")
    return 0


def purge(arguments: argparse.Namespace) -> int:
    """Run `headrace cost purge`."""
    print(f"{ledger(arguments.url).purge(arguments.before)} records forgotten")
    return 0


def drain(arguments: argparse.Namespace) -> int:
    """Run `headrace cost drain`."""
    print(f"{ledger(arguments.url).drain(arguments.path)} records moved to {arguments.path}")
    return 0


def write(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table, or as JSON with money as text."""
    if as_json:
        json.dump(rows, sys.stdout, default=str, indent=1)
        print()
        return
    if not rows:
        print("no records")
        return
    cells = [list(rows[0]), *([text(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def text(value: Any) -> str:
    """Show a value in a table."""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)
