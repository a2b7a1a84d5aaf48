"""Recording a call beside `litellm.completion_cost` plus a dict update, and summing ten million records.

    python benches/peers/cost.py             # recording: seconds
    python benches/peers/cost.py --sum       # ten million records by tenant and day: about 0.7 GB
    python benches/peers/cost.py --file      # a ledger on disk: recording, how soon others see it, its size and its sums

Each side works in turns; the figure is the median of seven.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

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


READER = """
import sys, time, headrace
costs = headrace.CostTracker(url=sys.argv[1])
seen = 0
while seen < 200:
    found = costs.summary([])
    calls = found[0]["calls"] if found else 0
    while seen < calls:
        seen += 1
        print(time.time(), flush=True)
"""


def on_disk() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/costs.db"
        costs, usage = headrace.CostTracker(url=url), headrace.Usage(1000, 500)
        with subprocess.Popen([sys.executable, "-c", READER, url], stdout=subprocess.PIPE, text=True) as reader:
            time.sleep(2)
            returned = []
            for _ in range(200):
                costs.record("openai/gpt-4o", usage, tenant="acme")
                returned.append(time.time())
                time.sleep(0.005)
            seen = [float(line) for line in reader.stdout]
        late = sorted(max(0.0, there - here) * 1000 for here, there in zip(returned, seen, strict=True))
        print(f"seen by another process after: median {late[100]:.1f} ms, at most {late[-1]:.1f} ms")
        for threads in (1, 16):
            took = record_with(costs, threads, 4000)
            print(f"record on disk, {threads} threads: {4000 / took:,.0f}/s")
        start = datetime(2026, 1, 1, tzinfo=timezone.utc)

        async def many(first: int) -> None:
            await asyncio.gather(
                *(
                    asyncio.to_thread(
                        costs.record,
                        "openai/gpt-4o",
                        usage,
                        tenant=f"t{n % 50}",
                        at=start + timedelta(minutes=7 * (n // 1000)),
                    )
                    for n in range(first, first + 10_000)
                )
            )

        for first in range(0, 100_000, 10_000):
            asyncio.run(many(first))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        begin = time.perf_counter()
        rows = costs.summary(["tenant"], bucket="day")
        took = time.perf_counter() - begin
        print(
            f"{costs.stats()['records']:,} records: {size / costs.stats()['records']:.0f} bytes each on disk;"
            f" by tenant and day {took * 1000:.1f} ms, {len(rows)} rows"
        )


def record_with(costs: headrace.CostTracker, threads: int, count: int) -> float:
    usage = headrace.Usage(1000, 500)

    def work() -> None:
        for _ in range(count // threads):
            costs.record("openai/gpt-4o", usage, tenant="acme")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begin


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--sum", action="store_true")
parser.add_argument("--file", action="store_true")
arguments = parser.parse_args()
if arguments.sum:
    add_up()
elif arguments.file:
    on_disk()
else:
    record()
