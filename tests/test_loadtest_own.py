"""A scenario of one's own: its target, what it needs, and what is said where the server is down or the time too short."""

import json
import os
import subprocess
import sys

from loadtest_help import free_port, loadtest, small_server

OWN = """
import headrace, pytest
from headrace.loadgen import closed_loop
from headrace.workload import ESG

@pytest.mark.scenario("mine", title="My questions", seconds={seconds}, criteria={{"answer_ms": "{answer}", "success": "rate > 0.8"}})
def test_mine(scenario):
{body}
"""
LOOP = """
    for round in scenario.rounds():
        run = closed_loop(scenario.target.generator(), ESG(seed=round.index), users=4, per_user={n})
        round.run(run, latency="answer_ms")
"""
TWENTY = LOOP.format(n=20)


def own(tmp_path, *arguments, body=TWENTY, seconds=20, answer="p(95) < 30s", **environment):
    folder = tmp_path / "own"
    folder.mkdir(exist_ok=True)
    (folder / "test_mine.py").write_text(OWN.format(body=body, seconds=seconds, answer=answer))
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "--rootdir", folder]
    command += ["--headrace-report", folder, "--headrace-keep-late", *arguments, folder / "test_mine.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, **environment})
    report = folder / "report.json"
    return done.stdout + done.stderr, json.loads(report.read_text()) if report.exists() else None


def test_its_target_is_the_server_at_the_url(tmp_path):
    with small_server(tmp_path) as url:
        said, told = own(tmp_path, "--headrace-target", url, "--headrace-model", "small")
    assert told["ready"], said
    assert told["target"] == f"{url} (model small)"
    # No word of a system that its author has never heard of.
    assert "origin" not in said
    assert "goal" not in said


def test_its_target_is_the_simulated_provider_without_one(tmp_path):
    said, told = own(tmp_path)
    assert told["ready"], said


def test_its_target_can_be_asked_by_any_client(tmp_path):
    body = """
    for round in scenario.rounds(least=2):
        target = scenario.target
        assert target.api_key == "sk-hidden" and "sk-hidden" not in repr(target)
        assert target.url.endswith("/v1") and target.model == "small"
        answers = [target.ask(request) for request in ESG(seed=round.index).take(40)]
        again = target.ask("What is scope 1?", timeout=20)
        assert again.provider == "target" and again.cache is None
        round.rate("success", sum(bool(answer.text) for answer in answers), 40)
        round.trend("answer_ms", [1.0] * 40)
    """
    with small_server(tmp_path) as url:
        said, told = own(tmp_path, "--headrace-target", url, body=body, HEADRACE_TARGET_KEY="sk-hidden")
    assert told["ready"], said


def test_a_server_that_is_down_is_said_before_anything_runs(tmp_path):
    url = f"http://127.0.0.1:{free_port()}/v1"
    said, told = own(tmp_path, "--headrace-target", url, "--headrace-model", "small")
    assert told is None
    assert f"{url} cannot be reached" in said


def test_a_server_that_goes_away_is_said_in_words(tmp_path):
    """Whether the scenario notices, or stumbles over figures that are not there."""
    stumbles = """
    import urllib.request
    for round in scenario.rounds():
        urllib.request.urlopen(scenario.target.url.removesuffix("/v1") + "/stop", data=b"").close()
        run = closed_loop(scenario.target.generator(), ESG(seed=round.index), users=2, per_user=2)
        {then}
    """
    for then in (
        'round.trend("answer_ms", [run.summary()["latency_ms"]["p95"]])',
        "round.run(run, latency='answer_ms')",
    ):
        with small_server(tmp_path) as url:
            said, told = own(tmp_path, "--headrace-target", url, body=stumbles.format(then=then))
        assert not told["ready"]
        (scenario,) = told["scenarios"]
        assert scenario["error"].startswith(f"the target went away: {url} cannot be reached"), said
        assert "NoneType" not in told["problems"][0]


def test_what_it_needs_is_said_before_it_runs(tmp_path):
    said, told = own(tmp_path)
    assert told["ready"]
    needed = "mine needs at least 59 values of answer_ms (p(95) < 30s), 14 of success (rate > 0.8)"
    assert needed in said
    assert said.index(needed) < said.index("READY")


def test_a_time_that_is_too_short_is_said_after_the_first_round(tmp_path):
    body = LOOP.format(n=1).replace("        round.run(", "        import time; time.sleep(1.2)\n        round.run(")
    said, told = own(tmp_path, body=body, answer="p(99) < 30s", seconds=20)
    (scenario,) = told["scenarios"]
    assert scenario["rounds"] == 1
    assert "answer_ms: p(99) < 30s (undecided: it takes at least 299 values, and 20 s have time for about" in said
    assert "ask more in a round, or allow more seconds" in said


def test_a_run_without_an_answer_says_why(tmp_path):
    with small_server(tmp_path, "--fault", "500") as url:
        body = LOOP.format(n=5).replace("rounds()", "rounds(most=2)")
        said, told = own(tmp_path, "--headrace-target", url, "--headrace-model", "small", body=body)
    assert any("mine: no request was answered: http_500" in problem for problem in told["problems"]), said


def test_the_target_suite_tests_nothing_but_the_server(tmp_path):
    done, told = loadtest_without_target(tmp_path)
    assert (done.returncode, told) == (2, None)
    assert "the target suite tests a server of yours: give --target URL" in done.stdout + done.stderr
    with small_server(tmp_path) as url:
        done, told = loadtest(url, "small", tmp_path, "--time-limit", "0.2", suite="target")
    assert told is not None, done.stdout + done.stderr
    assert len(told["scenarios"]) >= 6
    said = done.stdout + done.stderr
    assert "the target was not asked" not in said
    assert [scenario["name"] for scenario in told["scenarios"] if not scenario["results"]] == []
    # Its author has no cache and no queue of headrace's.
    assert not {row["metric"] for one in told["scenarios"] for row in one["results"]} & {"hit_rate", "enqueue_ms"}


def loadtest_without_target(tmp_path):
    command = [sys.executable, "-m", "headrace", "loadtest", "target", "--report", str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60), None
