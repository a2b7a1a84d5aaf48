"""The progress of many calls: one line that is rewritten where it can be, few lines elsewhere."""

import io
import sys
from decimal import Decimal

import headrace
import pytest
from headrace import _progress
from headrace._progress import Progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def walk(progress, clock, rows, seconds):
    for _ in range(rows):
        clock.now += seconds
        progress.add(answered=1, cost=Decimal("0.01"))
    progress.close()


def test_elsewhere_a_line_comes_every_ten_seconds():
    lines, clock = [], Clock()
    walk(Progress(2800, True, lines.append, clock), clock, 2800, 0.015625)
    assert len(lines) == 5
    assert lines[0] == "640/2,800 done, 0 hits, 0 failed, $6.40, 34 s left\n"
    assert lines[-1] == "2,800/2,800 done, 0 hits, 0 failed, $28.00, 44 s\n"


@pytest.mark.parametrize(("seconds", "count"), [(25, 0), (50, 4), (100, 9)])
def test_where_nobody_asked_a_short_run_says_nothing(seconds, count):
    lines, clock = [], Clock()
    walk(Progress(100, "auto", lines.append, clock), clock, 100, seconds / 100)
    assert len(lines) == count


def test_a_terminal_has_one_line(monkeypatch):
    screen, clock = Terminal(), Clock()
    monkeypatch.setattr(sys, "stderr", screen)
    walk(Progress(2800, "auto", clock=clock), clock, 2800, 0.015625)
    assert screen.getvalue().count("\n") == 1
    assert screen.getvalue().count("\r") <= 44 / 0.1 + 1
    assert all(part.endswith("\x1b[K") for part in screen.getvalue().rstrip("\n").split("\r")[1:])


def test_a_notebook_has_one_output(monkeypatch):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data["text/plain"])

    def display(data, raw, display_id):
        return Handle()

    class IPython:
        @staticmethod
        def get_ipython():
            return type("Shell", (), {"kernel": object()})()

    module = type("Module", (), {"display": staticmethod(display)})
    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    clock = Clock()
    walk(Progress(100, "auto", clock=clock), clock, 100, 0.125)
    assert len(shown) == 26
    assert shown[-1].startswith("100/100 done")


def test_nothing_is_shown_where_it_is_not_wanted(capsys):
    headrace.map(["a"], "{}", model="simulated/echo", client=client(), progress=False)
    client().map(["a"], model="simulated/echo")
    assert capsys.readouterr().err == ""


def client():
    return headrace.Client(headrace.providers.Simulated(time_to_first_token=0))


def test_the_map_of_a_client_writes_few_lines(capsys):
    client().map([f"question {n}" for n in range(300)], model="simulated/echo", progress=True)
    told = capsys.readouterr().err
    assert told.count("\n") <= 5
    assert "300/300 done, 0 hits, 0 failed, $" in told


def test_a_frame_says_what_the_budget_did_not_reach(capsys):
    headrace.map(["a", "b"], "{}", model="simulated/echo", client=client(), budget=0, progress=True)
    assert "2/2 done, 0 hits, 0 failed, 2 over the budget, $0.00" in capsys.readouterr().err


def test_without_a_standard_error_nothing_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    progress = Progress(None, True)
    progress.add(failed=1)
    progress.close()
    assert progress.line().startswith("1 done, 0 hits, 1 failed")


def test_a_span_is_said_as_people_say_it():
    assert [_progress._seconds(n) for n in (0.2, 61, 3700)] == ["0 s", "1 min 1 s", "1 h 1 min"]
