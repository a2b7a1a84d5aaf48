"""The load suite against servers that nobody here wrote, each started as a user starts it, and against broken ones."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import headrace
import pytest
from headrace.loadgen import Target, closed_loop
from headrace.providers import OpenAICompatible, SimulatedServer
from headrace.workload import ESG
from loadtest_help import free_port, get, loadtest, outcomes, running, unhurried

AIMOCK = "@copilotkit/aimock@1.43.0"
ROOT = Path(__file__).parents[1]


@contextmanager
def llmock(tmp_path, **options):
    pytest.importorskip("llmock", reason="llmock is not installed: pip install 'headrace[test]'")
    port = free_port()
    given = [
        text for name, value in options.items() for text in (f"--{name.replace('_', '-').rstrip('0123456789')}", value)
    ]
    code = "import sys; from llmock.cli import app; sys.argv[0] = 'llmock'; app()"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        code,
        "serve",
        "--port",
        str(port),
        "--log-level",
        "warning",
        *given,
    ]
    with running(command, port, tmp_path / "llmock.log") as url:
        yield url


@pytest.fixture(scope="session")
def aimock_command():
    """npm's package, installed below target/ once."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.skip("aimock needs node and npm, which are not here")
    folder = ROOT / "target" / "aimock"
    script = folder / "node_modules/@copilotkit/aimock/dist/cli.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), AIMOCK]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        if done.returncode:
            pytest.skip(f"aimock cannot be installed: {(done.stderr or done.stdout).strip()[:200]}")
    return [node, str(script)]


@pytest.fixture
def aimock(aimock_command, tmp_path):
    answer = {"match": {"endpoint": "chat"}, "response": {"content": "Scope 1 was 1200 tCO2e in 2023."}}
    (tmp_path / "fixtures.json").write_text(json.dumps({"fixtures": [answer]}))
    port = free_port()
    command = [*aimock_command, "-p", str(port), "-f", str(tmp_path / "fixtures.json"), "--log-level", "silent"]
    with running(command, port, tmp_path / "aimock.log") as url:
        yield url


def order(url, *behaviors):
    """Faults that llmock's next requests meet, one each: so many there are, in whatever order the requests come."""
    body = json.dumps({"behaviors": behaviors}).encode()
    with urllib.request.urlopen(url.removesuffix("/v1") + "/_llmock/scenario", body, timeout=5) as reply:
        assert json.load(reply)["queued"] == len(behaviors)


def refusals(stream, **counts):
    return [
        {"type": "fail", "status": int(status[1:]), "retry_after": 0.05, "times": times, "match": {"stream": stream}}
        for status, times in counts.items()
    ]


def broken(times, **stall):
    kinds = ("truncate", "disconnect", "malformed", "stall")
    return [{"type": "stream_fault", "kind": kind, "times": times, "stall_seconds": 9.0, **stall} for kind in kinds]


def test_llmocks_faults_are_survived_and_told_by_kind(tmp_path):
    # A stall of no length is none: of 80 streams that are asked without mercy, 8 are refused, 8 break, 64 are whole.
    whole = {"type": "stream_fault", "kind": "stall", "stall_seconds": 0.0, "times": 64}
    with llmock(tmp_path) as url:
        # Fewer refusals of plain chats than a client tries: none can meet nothing else.
        order(url, *refusals(True, _429=4, _503=4), *broken(2), whole, *broken(2), *refusals(False, _429=3, _503=2))
        done, told = loadtest(url, "gpt-4o-mini", tmp_path, "--scenario", "target_faults", "--time-limit", "20")
        requests = get(url.removesuffix("/v1") + "/_llmock/requests")
    assert done.returncode == 0, done.stdout + done.stderr
    found = outcomes(told)
    assert found["success: rate > 0.95"] == "met"
    assert found["misbooked: count == 0"] == found["half_answers: count == 0"] == "met"
    assert found["first_try: rate > 0.99"] == "failed"
    (scenario,) = told["scenarios"]
    errors = Counter(scenario["errors"])
    assert [errors[kind] for kind in ("http_429", "http_503")] == [4, 4]
    assert [errors[kind] for kind in ("truncated", "disconnect", "malformed")] == [2, 2, 2]
    assert errors["timeout"] >= 2
    assert "target_faults: errors: " in done.stdout
    assert requests


def test_llmock_judges_the_client_that_the_suite_drives(tmp_path):
    """Its verdict sees whether Retry-After was waited for, and whether there was a storm of retries."""
    with llmock(tmp_path) as url:
        order(url, *refusals(False, _429=4, _503=3))
        with headrace.Client([OpenAICompatible(url, name="openai", api_key="test")], max_attempts=8) as client:
            prompts = list(dict.fromkeys(request.prompt for request in ESG(seed=4).take(90)))
            answers = client.map(prompts, model="openai/gpt-4o-mini")
            records = client.costs.records()
        verdict = get(url.removesuffix("/v1") + "/_llmock/verdict")
    assert verdict["passed"], verdict["findings"]
    assert verdict["faults_injected"] == 7
    paid = [answer for answer in answers if answer.cache is None]
    # One more looked whether it was up.
    assert verdict["calls"] == len(paid) + 1
    assert sorted(record.cost for record in records if record.cost) == sorted(answer.cost for answer in paid)
    # The published price, by the tokens that the server counted.
    for answer in paid:
        tokens = answer.raw["usage"]
        price = Decimal("0.15") * tokens["prompt_tokens"] + Decimal("0.60") * tokens["completion_tokens"]
        assert answer.cost == price / 10**6


def test_a_server_that_fails_every_call_is_not_ready(tmp_path):
    with llmock(tmp_path, error_rate1="500=1.0") as url:
        done, told = loadtest(url, "gpt-4o-mini", tmp_path, "--scenario", "api_endpoints", "--time-limit", "1")
    assert done.returncode == 99, done.stdout + done.stderr
    assert outcomes(told)["checks: rate == 1"] == "failed"
    assert told["scenarios"][0]["errors"]["http_500"] > 0
    assert any("does not hold: chat answers: status 500" in note for note in told["scenarios"][0]["notes"])


def test_aimock_is_fast_enough_to_be_asked_by_hundreds(aimock, tmp_path):
    chosen = ["--scenario", "load_burst", "--scenario", "load_heavy", *unhurried(tmp_path)]
    done, told = loadtest(aimock, "gpt-4o", tmp_path, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {result["outcome"] for scenario in told["scenarios"] for result in scenario["results"]} == {"met"}
    for stream in (False, True):
        run = closed_loop(Target.http(aimock, model="gpt-4o", stream=stream), ESG(seed=1), users=16, per_user=40)
        summary = run.summary()
        assert (summary["succeeded"], summary["errors"]) == (640, {})
        assert summary["output_tokens"] > 0


def test_aimock_accepts_what_it_should_refuse_and_the_report_says_what(aimock, tmp_path):
    done, told = loadtest(aimock, "gpt-4o", tmp_path, "--scenario", "api_endpoints", "--time-limit", "1")
    assert done.returncode == 99, done.stdout + done.stderr
    found = outcomes(told)
    assert (found["checks: rate == 1"], found["refusals: rate == 1"]) == ("met", "failed")
    notes = "\n".join(told["scenarios"][0]["notes"])
    assert "does not hold: a hot temperature is refused, and said why: it was answered with status 200" in notes
    assert "not tested: a wrong key is refused: no key was given (HEADRACE_TARGET_KEY)" in notes


def test_a_stream_is_not_held_back_by_nagle():
    with SimulatedServer(time_to_first_token=0, tokens_per_second=0) as server:
        run = closed_loop(Target.http(server.url, model="esg"), ESG(seed=1), users=1, per_user=60)
    # Held back, each would wait for the client's delayed acknowledgement, 40 ms on Linux; the first few of a connection
    # are acknowledged at once.
    assert run.samples()["service"][40:].min() < 0.03
