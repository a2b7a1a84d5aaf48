"""What was paid is kept where the ledger cannot be written, and written later."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from headrace import BudgetExceeded, CostTracker, StoreError, Usage

USAGE = Usage(1000, 0)
# Another program that keeps the file to itself until its input ends.
LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA busy_timeout = 60000")
file.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
# Writes until no room is left for a file, then books a call that was reserved before.
FULL = """
import resource, signal, sys
from pathlib import Path
import headrace
from headrace import CostTracker, Usage

path = Path(sys.argv[1])
costs, usage = CostTracker(url=f"sqlite:///{path}"), Usage(1000, 0)
held = costs.reserve("openai/gpt-4", usage)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = max(file.stat().st_size for file in path.parent.iterdir())
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
record = held.settle(usage)
assert record.id is None and record.cost > 0, record
assert costs.stats()["waiting"] == 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert costs.flush(60) == 0
assert [found.cost for found in costs.records()] == [record.cost]
print("done")
"""


class Locked:
    """A file that another program writes to."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", LOCK, str(path)]
        self.other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> None:
        assert self.other.stdout is not None
        assert self.other.stdout.readline() == "locked\n"

    def __exit__(self, *_error: object) -> None:
        self.other.communicate("")


def test_a_locked_file_gets_the_record_later(tmp_path: Path) -> None:
    path = tmp_path / "costs.db"
    costs = CostTracker(url=f"sqlite:///{path}")
    costs.set_budget("1", period="ever")
    held = costs.reserve("openai/gpt-4", USAGE)
    with Locked(path):
        record = held.settle(USAGE)
        assert record.id is None
        assert costs.stats()["waiting"] == 1
        assert costs.budgets()[0]["spent"] == record.cost
        assert costs.flush(0.01) == 1
    assert costs.flush() == 0
    assert costs.stats()["waiting"] == 0
    assert [found.cost for found in costs.records()] == [record.cost]
    assert costs.budgets()[0]["spent"] == record.cost


def test_asyncio_is_not_kept_waiting_either(tmp_path: Path) -> None:
    path = tmp_path / "costs.db"
    costs = CostTracker(url=f"sqlite:///{path}")

    async def run() -> None:
        async with costs.areserve("openai/gpt-4", USAGE) as held:
            with Locked(path):
                record = await held.asettle(USAGE)
                assert record.id is None
            assert await costs.aflush() == 0
        assert len(await costs.arecords()) == 1
        assert await costs.atotal() == record.cost

    asyncio.run(run())


def test_a_call_under_a_budget_is_not_let_in_while_its_budget_cannot_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "costs.db"
    costs = CostTracker(url=f"sqlite:///{path}")
    costs.set_budget("1", tenant="acme", period="ever")
    with Locked(path):
        costs.reserve("openai/gpt-4", USAGE, tenant="other").release()
        with pytest.raises(StoreError):
            costs.reserve("openai/gpt-4", USAGE, tenant="acme")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on a file's size is Linux's")
def test_a_full_disk_gets_the_record_later(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FULL, str(tmp_path / "costs.db")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout == "done\n", found.stderr


def test_each_tenant_has_the_same_limit() -> None:
    costs = CostTracker()
    unit = costs.quote("openai/gpt-4", USAGE).cost
    costs.set_budget(unit, tenant="*", period="ever")
    for tenant in ("a", "b", "c"):
        with costs.reserve("openai/gpt-4", USAGE, tenant=tenant) as held:
            held.settle(USAGE)
        with pytest.raises(BudgetExceeded, match=f"tenant {tenant}"):
            costs.reserve("openai/gpt-4", USAGE, tenant=tenant)
    parts = {row["part_of"]: row["spent"] for row in costs.budgets()}
    assert parts == {None: 0, "a": unit, "b": unit, "c": unit}
    assert costs.remove_budget(tenant="*", period="ever")
