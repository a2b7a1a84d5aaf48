"""Recording a call beside `litellm.completion_cost` plus a dict update, and summing ten million records.

    python benches/peers/cost.py             # recording: seconds
    python benches/peers/cost.py --sum       # ten million records by tenant and day: about 1 GB

Each side works in turns; the figure is the median of seven.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import headrace

ROUNDS = 7


def seconds_each(work, count):
    start = time.perf_counter()
    work(count)
    return (time.perf_counter() - start) / count


def record() -> None:
    import litellm

    costs, usage = headrace.CostTracker(), headrace.Usage(1000, 500)
    spent: defaultdict[str, float] = defaultdict(float)
    reply = litellm.ModelResponse(
        model="gpt-4o", usage=litellm.Usage(prompt_tokens=1000, completion_tokens=500, total_tokens=1500)
    )

    def ours(count: int) -> None:
        for _ in range(count):
            costs.record("openai/gpt-4o", usage, tenant="acme")

    def theirs(count: int) -> None:
        for _ in range(count):
            spent["acme"] += litellm.completion_cost(completion_response=reply, model="gpt-4o")

    pairs = [(seconds_each(ours, 100_000), seconds_each(theirs, 500)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"record: headrace {1 / mine:,.0f}/s, litellm {1 / other:,.0f}/s, ratio {other / mine:.0f}")


def add_up() -> None:
    costs, usage = headrace.CostTracker(), headrace.Usage(1000, 500)
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    tenants = [f"tenant-{number}" for number in range(50)]
    times = [start + timedelta(minutes=7 * number) for number in range(10_000)]
    for number in range(10_000_000):
        costs.record("openai/gpt-4o", usage, tenant=tenants[number % 50], at=times[number // 1000])
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        rows = costs.summary(["tenant"], bucket="day")
        took.append(time.perf_counter() - begin)
    print(f"10,000,000 records by tenant and day: {statistics.median(took):.3f} s, {len(rows)} rows")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--sum", action="store_true")
if parser.parse_args().sum:
    add_up()
else:
    record()
