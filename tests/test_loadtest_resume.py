"""A run of the load suite that is ended in the middle, and resumed."""

import json
import signal
import subprocess
import sys
import time

import pytest
from loadtest_help import unhurried

CHOSEN = ("cost_volume", "budget_exhaustion", "memory_usage")
COMMAND = [sys.executable, "-W", "ignore", "-m", "headrace", "loadtest", "comprehensive"]
COMMAND += [text for name in CHOSEN for text in ("--scenario", name)]


def kept(state):
    return json.loads(state.read_text())["suites"]["comprehensive"] if state.exists() else {}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_a_run_that_is_ended_in_the_middle_is_resumed_and_its_report_is_whole(tmp_path, end):
    state, report = tmp_path / "state.json", tmp_path / "report"
    resumable = [
        *COMMAND,
        "--resume",
        str(state),
        "--report",
        str(report),
        *unhurried(tmp_path, units=("%", "", "KiB")),
    ]
    # Where the tests run in the background of a shell, SIGINT is ignored, and would be by what they start.
    heeding = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(resumable, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **heeding) as run:
        until = time.monotonic() + 90
        # memory_usage, the last, takes seconds: it is at work when the two others are through.
        while set(kept(state)) != set(CHOSEN[:2]):
            assert run.poll() is None, run.stdout.read()
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.5)
        run.send_signal(getattr(signal, end))
        said = run.communicate(timeout=30)[0]
    if end == "SIGKILL":
        assert run.returncode == -signal.SIGKILL
        assert not report.exists()
    else:
        assert run.returncode == 2, said
        told = json.loads((report / "report.json").read_text())
        assert not told["ready"]
        assert [scenario["name"] for scenario in told["scenarios"]] == list(CHOSEN)
        assert "memory_usage could not finish: not run: it was interrupted" in told["problems"]
    before = kept(state)
    done = subprocess.run(resumable, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((report / "report.json").read_text())
    assert told["ready"]
    assert told["resumed"] == list(CHOSEN[:2])
    assert [scenario["name"] for scenario in told["scenarios"]] == list(CHOSEN)
    # What was ready was not run again, and stands there with all that had been measured.
    after = kept(state)
    assert {name: after[name] for name in CHOSEN[:2]} == before
    assert all(scenario["results"] and scenario["rounds"] for scenario in told["scenarios"])
    page = (report / "report.html").read_text()
    assert "Spend, as a share of the budget" in page


def test_what_the_time_does_not_suffice_for_is_not_ready(tmp_path):
    """A p99 takes 299 rounds of a second and a half: in three seconds no machine has shown it, however fast."""
    (tmp_path / "own.toml").write_text(
        '[[cost_volume.exact]]\npass = "rate == 1"\n'
        '[[budget_exhaustion.over_budget]]\npass = "count == 0"\n'
        '[[memory_usage.kib_per_request]]\npass = "p(99) < 32"\n'
    )
    own = [*COMMAND, "--criteria", str(tmp_path / "own.toml")]
    done = subprocess.run(
        [*own, "--total-time", "3", "--report", str(tmp_path)], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 99, done.stdout + done.stderr
    told = json.loads((tmp_path / "report.json").read_text())
    assert [scenario["name"] for scenario in told["scenarios"]] == list(CHOSEN)
    # Undecided where it was begun, not run where a slow machine had no time left for it.
    assert any("memory_usage" in problem for problem in told["problems"])
    none = subprocess.run([*own, "--total-time", "0"], capture_output=True, text=True, check=False, timeout=100)
    assert none.returncode == 2


def test_a_state_of_other_criteria_is_not_taken_over(tmp_path):
    state, criteria = tmp_path / "state.json", tmp_path / "own.toml"
    chosen = [*COMMAND[:7], "--scenario", "budget_exhaustion", "--resume", str(state), "--criteria", str(criteria)]
    for threshold in ("count == 0", "count < 1"):
        criteria.write_text(f'[[budget_exhaustion.over_budget]]\npass = "{threshold}"\n')
        done = subprocess.run(chosen, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "shown by an earlier run" not in done.stdout
    done = subprocess.run(chosen, capture_output=True, text=True, check=False, timeout=60)
    assert "shown by an earlier run: budget_exhaustion" in done.stdout
