"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", ["quickstart.py", "costs.py"])
def test_an_example_runs(name, tmp_path):
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_scenario_of_ones_own_is_judged(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    example = EXAMPLES / "loadtest_own_scenario.py"
    # On a busy machine rounds are void, and others follow: there is time for them.
    command += ["--headrace-time-limit", "50"]
    done = subprocess.run([*command, example], capture_output=True, text=True, timeout=115, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "READY" in done.stdout
