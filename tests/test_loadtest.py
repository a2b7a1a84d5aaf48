"""The load suite's judgement: expressions, decisions by intervals, criteria as data, and spoilt targets found out."""

import json
import subprocess
import sys
from importlib import resources
from xml.etree import ElementTree

import numpy as np
import pytest
from headrace.errors import ConfigError
from headrace.loadgen import quantile_interval, quantile_upper_bound
from headrace.loadtest import criteria
from headrace.loadtest.baseline import Earlier
from headrace.loadtest.decide import decide
from headrace.loadtest.expression import parse
from headrace.loadtest.metric import Count, Rate, Trend
from headrace.loadtest.scenario import Scenario
from hypothesis import given
from hypothesis import strategies as st
from loadtest_help import unhurried


def trend(values):
    made = Trend()
    made.add(values)
    return made


@given(
    st.sampled_from(["avg", "med", "min", "max", "count", "rate", "p(95)", "p(99.9)"]),
    st.sampled_from(["<", "<=", ">", ">=", "=="]),
    st.integers(0, 10**6),
    st.sampled_from([("", 1), ("ms", 1), ("s", 1000), ("us", 0.001), ("%", 0.01), ("/s", 1)]),
)
def test_what_is_written_is_read(aggregation, operator, number, unit):
    threshold = parse(f"{aggregation} {operator} {number}{unit[0]}")
    assert threshold.bound == pytest.approx(number * unit[1])
    assert threshold.operator == operator
    assert not threshold.relative


@given(st.text(max_size=12))
def test_no_text_is_more_than_a_config_error(text):
    try:
        parse(text)
    except ConfigError as error:
        assert repr(text) in str(error)


def test_a_typo_in_a_criterion_is_named():
    with pytest.raises(ConfigError, match=r"queue\.enqueue_ms.*'teir' is unknown: did you mean tier"):
        criteria.from_toml('[[queue.enqueue_ms]]\npass = "avg < 20ms"\nteir = "warning"')


@pytest.mark.parametrize(("least", "expression"), [(59, "p(95) < 20"), (299, "p(99) < 20")])
def test_a_percentile_takes_its_least_number_of_values(least, expression):
    assert decide(parse(expression), trend([1.0] * (least - 1))).outcome == "undecided"
    assert decide(parse(expression), trend([1.0] * least)).outcome == "met"


def test_twenty_of_twenty_do_not_show_ninety_percent():
    assert decide(parse("rate > 0.90"), Rate(20, 20)).outcome == "undecided"
    assert decide(parse("rate > 0.90"), Rate(28, 28)).outcome == "undecided"
    assert decide(parse("rate > 0.90"), Rate(29, 29)).outcome == "met"
    assert decide(parse("rate > 0.90"), Rate(10, 29)).outcome == "failed"


@given(st.sampled_from([Trend, Rate, Count]), st.sampled_from(["avg < 20", "rate > 0.9", "count == 0", "p(95) < 5"]))
def test_no_sample_is_never_met(kind, expression):
    assert decide(parse(expression), kind()).outcome == "undecided"
    assert decide(parse(expression), None).outcome == "undecided"


@given(st.lists(st.floats(0.1, 1000), min_size=2, max_size=200), st.floats(0.1, 1000))
def test_met_and_failed_agree_with_the_estimate(values, bound):
    threshold = parse(f"avg < {bound:.3f}")
    decision = decide(threshold, trend(values))
    if decision.outcome == "met":
        assert decision.value < threshold.bound
    if decision.outcome == "failed":
        assert decision.value >= threshold.bound


def test_a_regression_fails_only_beyond_noise():
    threshold = parse("avg <= +10%")
    steady, noisy = [130.0, 131.0, 129.0] * 20, [40.0, 220.0, 130.0]
    assert decide(threshold, trend(steady), 100.0).outcome == "failed"
    assert decide(threshold, trend(noisy), 100.0).outcome == "undecided"
    # Nor does it fail by what chance alone may have kept the earlier figure from.
    assert decide(threshold, trend(steady), Earlier(100.0, 90.0, 120.0)).outcome == "met"
    assert decide(threshold, trend(steady), 120.0).outcome == "met"
    assert decide(threshold, trend(steady)).outcome == "undecided"


def test_one_value_bounds_no_mean():
    assert decide(parse("avg < 20"), trend([1.0])).outcome == "undecided"


def test_dependent_latencies_widen_the_interval():
    rng = np.random.default_rng(1)
    # A queue that fills and empties: neighbours are nearly equal, so there are far fewer than 600 independent values.
    waits = np.repeat(rng.exponential(10.0, 12), 50) + rng.random(600)
    told = decide(parse("p(95) < 20"), trend(waits))
    assert told.high >= quantile_upper_bound(waits, 0.95, 0.95)
    assert told.high - told.low > quantile_interval(waits, 0.95, 0.90).high - quantile_interval(waits, 0.95, 0.90).low


def test_rounds_that_are_void_show_nothing():
    made = Scenario("own", "Own", [criteria.from_fields("own", "ms", "avg < 20")])
    for round in made.rounds(most=3):
        round.trend("ms", [1.0, 1.0, 1.0])
        round.void("the generator was late")
    result = made.result()
    assert result.rounds == 0
    assert result.problems[0] == "own: all 3 rounds are void: the generator was late"


def test_rounds_that_the_generator_was_late_in_count_where_asked():
    made = Scenario("own", "Own", [criteria.from_fields("own", "ms", "max < 20")], keep_late=True)
    for round in made.rounds(least=3, most=3):
        round.trend("ms", [1.0, 1.0, 1.0])
        round.void("the generator was late")
    result = made.result()
    assert (result.rounds, result.void) == (3, [])
    assert result.notes == ["counted all the same: the generator was late"]


@pytest.mark.parametrize("suite", ["focused", "comprehensive"])
def test_the_criteria_that_come_along_can_be_read(suite):
    names = [criterion.name for criterion in criteria.load(suite)]
    assert len(set(names)) == len(names) > 10


def loadtest(*arguments, suite="focused"):
    command = [sys.executable, "-m", "headrace", "loadtest", suite, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_a_suite_ends_ready_with_its_reports(tmp_path):
    chosen = ["--scenario", "queue_performance", "--scenario", "cost_accuracy", *unhurried(tmp_path, "focused")]
    done = loadtest(*chosen, "--report", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["ready"]
    schema = json.loads((resources.files("headrace.loadtest.report") / "report.schema.json").read_text())
    assert set(told) == set(schema["required"])
    assert {key for row in told["scenarios"] for key in row} == set(schema["$defs"]["scenario"]["required"])
    assert {row["outcome"] for scenario in told["scenarios"] for row in scenario["results"]} == {"met"}
    assert not ElementTree.parse(tmp_path / "junit.xml").findall(".//failure")
    page = (tmp_path / "report.html").read_text()
    for outside in ("http://", "https://", "<script", "<link", "@import"):
        assert outside not in page.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(told, schema)


def test_a_spoilt_target_is_not_ready_and_the_criterion_is_named(tmp_path):
    chosen = ["--spoil", "dropped_requests", "--scenario", "queue_performance", "--report", str(tmp_path)]
    done = loadtest(*chosen, *unhurried(tmp_path, "focused"), "--time-limit", "1")
    assert done.returncode == 99, done.stdout + done.stderr
    assert "NOT READY" in done.stdout
    (problem,) = json.loads((tmp_path / "report.json").read_text())["problems"]
    assert problem.startswith("queue_performance.completed: rate == 1 (failed")


def test_a_run_that_was_ready_is_resumed_as_ready(tmp_path):
    state = tmp_path / "state.json"
    chosen = ["--scenario", "budget_exhaustion", "--scenario", "cache_load", "--resume", str(state)]
    chosen += unhurried(tmp_path)
    first = loadtest(*chosen, "--spoil", "guards_off", "--time-limit", "1", suite="comprehensive")
    assert first.returncode == 99, first.stdout + first.stderr
    kept = json.loads(state.read_text())["suites"]["comprehensive"]
    assert {name: row["outcome"] for name, row in kept.items()} == {
        "budget_exhaustion": "ready",
        "cache_load": "not ready",
    }
    again = loadtest(*chosen, "--report", str(tmp_path), suite="comprehensive")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "shown by an earlier run: budget_exhaustion" in again.stdout
    # The report is whole: what was not run again stands in it with its figures.
    told = json.loads((tmp_path / "report.json").read_text())
    assert [scenario["name"] for scenario in told["scenarios"]] == ["cache_load", "budget_exhaustion"]
    assert {row["outcome"] for scenario in told["scenarios"] for row in scenario["results"]} == {"met"}
    other = loadtest(*chosen, "--target", "http://127.0.0.1:1/v1", suite="comprehensive")
    assert other.returncode == 2
    state.write_text("[1]")
    assert loadtest(*chosen, suite="comprehensive").returncode == 2


def test_pytest_alone_fails_where_the_verdict_is_not_ready(tmp_path):
    (tmp_path / "test_own.py").write_text(
        "import pytest\n"
        "@pytest.mark.scenario('own', criteria={'ms': 'avg < 20'}, seconds=1)\n"
        "def test_own(scenario):\n"
        "    for round in scenario.rounds(most=2):\n"
        "        round.trend('ms', [30.0, 31.0, 32.0])\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "NOT READY" in done.stdout


def test_what_cannot_run_is_not_not_ready():
    for arguments in (["--scenario", "no_such"], ["--spoil", "nothing_known"], ["--live"], ["--criteria", "/no/file"]):
        assert loadtest(*arguments).returncode == 2, arguments
