"""What a report says in plain words, and in its plots."""

from dataclasses import replace

import pytest
from headrace.loadtest.criteria import from_fields
from headrace.loadtest.decide import Decision
from headrace.loadtest.report import html_page
from headrace.loadtest.report.plot import plot
from headrace.loadtest.report.words import in_short, problems, summary
from headrace.loadtest.verdict import Result, ScenarioResult, SuiteResult

ENQUEUE = from_fields("queue_load", "enqueue_ms", {"pass": "p(95) < 20ms", "title": "Enqueue"})


def suite(outcome):
    row = Result(ENQUEUE, Decision(outcome, 31.5, 30.0, 33.0, 100, "because"))
    return SuiteResult("focused", "a server", [ScenarioResult("queue_load", "The queue under load", [row], rounds=1)])


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("met", "Nothing speaks against production."), ("failed", "1 does not hold"), ("undecided", "1 was not decided")],
)
def test_the_verdict_is_said_in_words(outcome, said):
    assert said in in_short(suite(outcome))
    (line,) = summary(suite(outcome))
    assert (line.theme, line.outcome) == ("The queue", outcome)
    assert line.told == "enqueue: 31.5 ms (required: below 20 ms for 95 of 100)"
    page = html_page(suite(outcome))
    assert said in page
    assert "below 20 ms for 95 of 100" in page


def test_what_speaks_against_it_is_named_twice_in_words_and_as_elsewhere():
    (found,) = problems(suite("failed"))
    assert found == (
        "The queue under load fails: enqueue: 31.5 ms (required: below 20 ms for 95 of 100)",
        "queue_load.enqueue_ms: p(95) < 20ms (failed: because)",
    )
    broken = suite("met")
    broken.scenarios[0] = replace(broken.scenarios[0], error="ValueError: no")
    assert list(problems(broken)) == [("queue_load could not finish: ValueError: no", "")]


def test_a_plot_has_axes_a_limit_and_no_outside():
    drawn = plot(
        "Time <to> answer", "percentile, milliseconds", [(0, 1.0), (50, 2.0), (99.9, 9.0)], 10.0, "median 2 ms"
    )
    for text in ("percentile of the requests", ">milliseconds<", "limit 10 ms", ">99.9<", "&lt;to&gt;", "median 2 ms"):
        assert text in drawn
    assert plot("Nothing", "seconds, milliseconds", []) == ""
