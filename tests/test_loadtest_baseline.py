"""A report of an earlier run to compare with: every figure is compared, or the run is refused."""

import json

import pytest
from headrace.errors import ConfigError
from headrace.loadtest import criteria
from headrace.loadtest.baseline import Baseline
from loadtest_help import loadtest, small_server

ROW = {"scenario": "mine", "metric": "answer_ms", "threshold": "p(95) < 5s", "value": 100.0, "low": 90.0, "high": 120.0}


def written(tmp_path, *rows):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"scenarios": [{"results": [{**ROW, **row} for row in rows]}]}))
    return str(path)


def test_a_server_that_has_become_slower_is_not_ready(tmp_path):
    """Neither is near the limits of the suite: 12 times as slow passes all of them."""
    limits = tmp_path / "limits.toml"
    limits.write_text('[concurrent_handling]\nsuccess = "rate > 0.90"\nanswer_ms = ["med < 60s", "p(95) < 60s"]\n')
    chosen = ["--scenario", "concurrent_handling", "--criteria", str(limits)]
    with small_server(tmp_path, "--delay", "0.25") as url:
        done, told = loadtest(url, "small", tmp_path / "before", *chosen, suite="focused")
    assert told["ready"], done.stdout + done.stderr
    chosen += ["--baseline", str(tmp_path / "before" / "report.json")]
    with small_server(tmp_path, "--delay", "3") as url:
        done, told = loadtest(url, "small", tmp_path / "now", *chosen, suite="focused")
    assert done.returncode == 99, done.stdout + done.stderr
    assert any("concurrent_handling.answer_ms: med <= +10%" in problem for problem in told["problems"])
    with small_server(tmp_path, "--delay", "0.25") as url:
        done, _ = loadtest(url, "small", tmp_path / "same", *chosen, "--tolerance", "1000", suite="focused")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_figure_is_compared_in_the_direction_that_matters(tmp_path):
    rows = [{}, {"metric": "success", "threshold": "rate > 0.9", "value": 1.0, "low": 0.95, "high": 1.0}]
    listed = criteria.from_toml('[[mine.answer_ms]]\npass = "p(95) < 5s"\n[[mine.success]]\npass = "rate > 0.9"')
    compared = Baseline(written(tmp_path, *rows), 0.2).compared(listed)
    assert [criterion.name for criterion in compared] == [
        "mine.answer_ms: p(95) <= +20%",
        "mine.success: rate >= -20%",
    ]
    assert {criterion.tier for criterion in compared} == {"blocking"}


def test_the_limit_may_have_been_another_then(tmp_path):
    (own,) = criteria.from_toml('[[mine.answer_ms]]\npass = "p(95) <= +10%"')
    earlier = Baseline(written(tmp_path, {}), 0.1)
    assert earlier.of(own).value == 100.0
    # What says itself by how much it may change is compared once.
    assert earlier.compared([own]) == []


def test_what_must_never_happen_and_extremes_are_no_matter_of_degree(tmp_path):
    rows = [{"threshold": "max < 5s"}, {"metric": "wrong", "threshold": "count == 0", "value": 0.0}]
    listed = criteria.from_toml('[[mine.answer_ms]]\npass = "max < 5s"\n[[mine.wrong]]\npass = "count == 0"')
    assert Baseline(written(tmp_path, *rows), 0.1).compared(listed) == []


def test_a_baseline_without_a_figure_of_this_run_is_refused(tmp_path):
    baseline = written(tmp_path, {"scenario": "another"})
    with small_server(tmp_path) as url:
        chosen = ["--scenario", "concurrent_handling", "--baseline", baseline]
        done, told = loadtest(url, "small", tmp_path / "now", *chosen, suite="focused")
    assert (done.returncode, told) == (2, None)
    assert "has no figure of concurrent_handling" in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "[1]", '{"scenarios": [{}]}', '{"scenarios": [{"results": [{"scenario": 1}]}]}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ConfigError, match=r"give a report\.json of an earlier run"):
        Baseline(str(tmp_path / "report.json"), 0.1)
