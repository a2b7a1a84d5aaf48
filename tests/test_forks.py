"""A fork while other threads are at work: the child finds every object free, and uses it.

Only the thread that forked lives on in a child. What another thread held at that moment would stay locked there for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

# Threads that work until the end, and children that use the same objects: a child that cannot is ended by its alarm.
FRAME = """
import os, signal, threading, warnings
import headrace
warnings.simplefilter("ignore", DeprecationWarning)
{setup}
def unless_locked(call, *arguments, **more):
    # On a busy machine a file may be another process's for longer than a write waits.
    try:
        call(*arguments, **more)
    except headrace.StoreError as error:
        assert "locked" in str(error), error
is_over = threading.Event()
failed = []
def busy(number):
    turn = 0
    try:
        while not is_over.is_set():
            use(number, turn)
            turn += 1
    except BaseException as error:
        failed.append(error)
        raise
# What is imported at a first use is imported before: a child of an import would wait for Python's own lock for ever.
use(99, 0)
threads = [threading.Thread(target=busy, args=(number,), daemon=True) for number in range({threads})]
for thread in threads:
    thread.start()
children = []
for turn in range({forks}):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        use(100, turn)
        os._exit(7)
    children.append(child)
    if len(children) == 4:
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert ended == [7] * len(ended), ended
        children = []
is_over.set()
for thread in threads:
    thread.join()
assert not failed, failed
"""

SETUPS = {
    "cache": """
import numpy as np
cache = headrace.SemanticCache(max_entries=200)
rows = np.random.default_rng(7).normal(size=(512, 64)).astype("float32")
def use(number, turn):
    at = (number * 31 + turn) % 512
    asked = f"What were the scope {at % 3} emissions of company {at}?"
    cache.put_many([asked], [{"a": at}], embeddings=rows[at : at + 1])
    cache.get(asked, embedding=rows[at])
    cache.get(f"Please: {asked}", embedding=rows[at])
    cache.get_many(embeddings=rows[:32])
    len(cache), cache.stats()
    if turn % 16 == 0:
        cache.invalidate(older_than=3600) if turn % 32 else cache.clear()
""",
    "cache_on_a_file": """
import tempfile
import numpy as np
cache = headrace.SemanticCache(url=f"sqlite:///{tempfile.mkdtemp()}/cache.db", max_entries=200, verifier=None)
rows = np.random.default_rng(7).normal(size=(512, 16)).astype("float32")
def use(number, turn):
    at = (number * 31 + turn) % 512
    asked = f"What were the scope {at % 3} emissions of company {at}?"
    unless_locked(cache.put, asked, {"a": at}, embedding=rows[at])
    cache.get(asked, embedding=rows[at])
    len(cache)
    if turn % 8 == 0:
        unless_locked(cache.invalidate, older_than=3600)
""",
    "ledger": """
costs = headrace.CostTracker()
costs.set_budget(10**9)
def use(number, turn):
    usage = headrace.Usage(1000 + turn, 10)
    tenant = f"tenant {number} {turn % 8}"
    costs.record("openai/gpt-4o", usage, tenant=tenant)
    with costs.reserve("openai/gpt-4o", usage, tenant=tenant) as held:
        held.settle(usage)
    costs.quote("openai/gpt-4o-mini", usage)
    costs.summary(by=("tenant",))
""",
    "ledger_on_a_file": """
import tempfile
costs = headrace.CostTracker(url=f"sqlite:///{tempfile.mkdtemp()}/costs.db")
costs.set_budget(10**9)
def use(number, turn):
    usage = headrace.Usage(1000 + turn, 10)
    unless_locked(costs.record, "openai/gpt-4o", usage, tenant=f"tenant {number}")
    costs.total
""",
    "client": """
cache = headrace.SemanticCache(max_entries=100)
client = headrace.Client([headrace.providers.Simulated(time_to_first_token=0)], cache=cache)
def use(number, turn):
    assert client.chat("simulated/echo", f"{number} {turn}", tenant=f"t{turn % 4}", timeout=25).text
    assert client.chat("simulated/echo", f"{turn % 8}", timeout=25).text
    for _ in client.stream("simulated/echo", f"again {number} {turn}", timeout=25):
        pass
""",
}


@pytest.mark.parametrize("name", SETUPS)
def test_a_child_uses_what_other_threads_were_using(name: str) -> None:
    # Processes on one file wait for each other's writes: of those there are fewer.
    threads, forks = (2, 16) if name.endswith("_on_a_file") else (4, 40)
    script = FRAME.format(setup=textwrap.dedent(SETUPS[name]), threads=threads, forks=forks)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stderr[-3000:]
