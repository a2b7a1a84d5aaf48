"""What a process leaves behind that is killed: every record that returned, once; budgets that agree; no money held for good."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal

import pytest
from headrace import BudgetExceeded, CostTracker, Usage

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
MODEL, USAGE = "openai/gpt-4", Usage(7, 3)

# Threads that record, and reserve and settle, and print what returned. The pipe keeps a line whole.
WRITER = """
import os, sys, threading, headrace
costs = headrace.CostTracker(url=sys.argv[1]); usage = headrace.Usage(7, 3)
def work(place):
    while True:
        if place % 2:
            record = costs.record("openai/gpt-4", usage, tenant="t")
        else:
            with costs.reserve("openai/gpt-4", headrace.Usage(70, 30), tenant="t", lease_seconds=1) as held:
                record = held.settle(usage)
        os.write(1, f"{record.id}\\n".encode())
threads = [threading.Thread(target=work, args=(place,)) for place in range(6)]
[thread.start() for thread in threads]
"""
HOLDER = """
import sys, time, headrace
costs = headrace.CostTracker(url=sys.argv[1])
held = [costs.reserve("openai/gpt-4", headrace.Usage(7, 3), tenant="t", lease_seconds=1.0) for _ in range(10)]
print("held", flush=True); time.sleep(60)
"""


def test_what_was_recorded_survives_kill(tmp_path):
    url, one = f"sqlite:///{tmp_path / 'costs.db'}", CostTracker().quote(MODEL, USAGE).cost
    costs = CostTracker(url=url)
    costs.set_budget("1000", tenant="t", period="day")
    costs.set_budget("1000", model="gpt-4", period="rolling 24h")
    returned, generator = [], random.Random(5)
    for _ in range(3):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            assert writer.stdout is not None
            returned.append(writer.stdout.readline().strip())
        time.sleep(generator.uniform(0, 0.3))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            returned += [line.strip() for line in writer.stdout if line.endswith(b"\n")]
            writer.wait()
            writer.stdout.close()
    stored = Counter(record.id for record in CostTracker(url=url).records())
    assert set(stored.values()) == {1}
    assert {line.decode() for line in returned} <= set(stored)
    assert len(returned) == len(set(returned)) > 50
    costs = CostTracker(url=url)
    assert costs.total == one * len(stored) == sum((record.cost for record in costs.records()), Decimal(0))
    assert costs.summary([], bucket="hour")[0]["calls"] <= len(stored)
    assert [budget["spent"] for budget in costs.budgets()] == [costs.total] * 2
    # What the dead reserved is free when their leases end.
    time.sleep(1.1)
    assert [budget["reserved"] for budget in costs.budgets()] == [0, 0]


def test_the_money_of_the_dead_is_free_after_their_lease(tmp_path):
    url, one = f"sqlite:///{tmp_path / 'costs.db'}", CostTracker().quote(MODEL, USAGE).cost
    costs = CostTracker(url=url)
    costs.set_budget(one * 10, tenant="t", period="ever")
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BudgetExceeded, match="reserved"):
            costs.reserve(MODEL, USAGE, tenant="t")
        holder.send_signal(signal.SIGKILL)
    # Each was reserved a moment after the one before, and so are their leases over.
    until = time.monotonic() + 10
    while costs.budgets()[0]["reserved"] > 0 and time.monotonic() < until:
        time.sleep(0.05)
    assert costs.budgets()[0]["remaining"] == one * 10
    costs.reserve(MODEL, Usage(70, 30), tenant="t").release()
