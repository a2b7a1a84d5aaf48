"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


# What must stand in the output of each, as it asks the simulated provider, or stand_in.py.
SAID = {
    "quickstart.py": ["from the exact cache"],
    "costs.py": ["rows in the FOCUS format"],
    "moving_from_openai.py": ["double materiality", "UnknownModel"],
    "moving_from_litellm.py": ["does not fit the budget", "second"],
    "report_questions.py": ["48,210 tCO2e", "301,700 tCO2e", "2,914 employees", "semantic, 0 USD"],
    "esrs_datapoints.py": ["e1_6_scope_1,48210.0,tCO2e", "e1_6_scope_3,301700.0,tCO2e", "s1_16_pay_gap,9.8,%"],
}


def test_every_example_is_run():
    """Here, or by a test that names it."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in EXAMPLES.glob("*.py") if path.stem not in tests] == []


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_MODEL", raising=False)
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in SAID[name]:
        assert words in done.stdout


def test_another_year_is_asked_and_not_answered_from_the_cache(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "report_questions.py"], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    told = done.stdout.split("What were the gross Scope 1 emissions in 2023?")[1]
    assert ", asked, " in told


def test_the_workflow_of_load_tests_uses_what_is_there():
    """The commands of the CI example are those of this version."""
    text = (EXAMPLES / "ci" / "github-workflow.yml").read_text(encoding="utf-8")
    lines = [line.split("run: ", 1)[1] for line in text.splitlines() if "run: headrace loadtest" in line]
    assert len(lines) == 2
    for line in lines:
        given = [part for part in line.split() if part.startswith("--")]
        told = subprocess.run(
            [sys.executable, "-m", "headrace", "loadtest", "--help"], capture_output=True, text=True, timeout=60
        ).stdout
        assert [option for option in given if option not in told] == []


def test_a_scenario_of_ones_own_is_judged(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    example = EXAMPLES / "loadtest_own_scenario.py"
    command += ["--headrace-time-limit", "50", "--headrace-keep-late"]
    done = subprocess.run([*command, example], capture_output=True, text=True, timeout=115, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "READY" in done.stdout
