"""One version against another, in alternating order: what is worse beyond noise is told, and noise alone is not."""

import json
import subprocess
import sys

import numpy as np
from headrace.loadtest.against import changes


def runs(rng, centres, noise, n=6):
    """The results of so many runs: figures that vary by a factor around their centres."""
    rows = {
        "s.ms: avg < 20ms": {"threshold": "avg < 20ms", "unit": "ms", "title": "Time"},
        "s.rate: avg > 50/s": {"threshold": "avg > 50/s", "unit": "/s", "title": "Rate"},
        "s.all: rate == 1": {"threshold": "rate == 1", "unit": "%", "title": "All"},
    }
    return [
        {
            name: {**row, "value": centre * float(np.exp(rng.normal(0, noise)))}
            for (name, row), centre in zip(rows.items(), centres, strict=True)
        }
        for _ in range(n)
    ]


def outcomes(found):
    return {one.name: one.outcome for one in found}


def test_what_is_worse_is_told_whichever_way_it_goes():
    rng = np.random.default_rng(1)
    found = changes(runs(rng, (10, 100, 1), 0.02), runs(rng, (13, 100, 1), 0.02), 0.10)
    assert outcomes(found) == {"s.ms: avg < 20ms": "worse", "s.rate: avg > 50/s": "no worse"}
    assert found[0].low < 0.3 < found[0].high
    slower = changes(runs(rng, (10, 100, 1), 0.02), runs(rng, (8, 70, 1), 0.02), 0.10)
    assert outcomes(slower) == {"s.rate: avg > 50/s": "worse", "s.ms: avg < 20ms": "no worse"}


def test_noise_alone_is_no_regression():
    """Neither an estimate beyond the tolerance alone, nor a hundred looks at the same version."""
    rng = np.random.default_rng(2)
    wild = changes(runs(rng, (10, 100, 1), 0.8), runs(rng, (14, 100, 1), 0.8), 0.10)
    assert "worse" not in outcomes(wild).values()
    alike = [changes(runs(rng, (10, 100, 1), 0.3), runs(rng, (10, 100, 1), 0.3), 0.0) for _ in range(200)]
    assert sum("worse" in outcomes(found).values() for found in alike) <= 20
    (one, _) = changes(runs(rng, (10, 100, 1), 0.0, n=1), runs(rng, (30, 100, 1), 0.0, n=1), 0.10)
    assert one.outcome == "undecided"


def test_both_sides_run_in_turns(tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "headrace", "loadtest", "focused", "--scenario", "cost_accuracy"]
    command += ["--against", sys.executable, "--pairs", "2", "--tolerance", "1e9", "--keep-late"]
    command += ["--report", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:4]] == ["old", "new", "new", "old"]
    (row,) = json.loads((tmp_path / "against.json").read_text())
    assert row["name"] == "cost_accuracy.visible_ms: max < 2000ms"
    none = subprocess.run(
        [*command, "--against", "/no/python"], capture_output=True, text=True, check=False, timeout=60
    )
    assert none.returncode == 2
