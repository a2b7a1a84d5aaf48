"""The pytest plugin: options, the `scenario` fixture and mark, the verdict at the end.

It is loaded in every pytest run where headrace is installed, so it imports nothing heavy until a scenario is asked
for, and its options carry a prefix or are the suite's own.
"""

from __future__ import annotations

import difflib
import signal
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from headrace.loadtest.scenario import Scenario
    from headrace.loadtest.session import LoadSession
    from headrace.loadtest.verdict import SuiteResult

_KEY: pytest.StashKey[LoadSession] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the load suite."""
    group = parser.getgroup("headrace", "headrace load suite")
    group.addoption(
        "--suite", default=None, help="focused, comprehensive or target; focused where a scenario needs one"
    )
    group.addoption("--headrace-target", default=None, metavar="URL", help="an OpenAI-compatible server to test")
    group.addoption("--headrace-model", default=None, metavar="MODEL", help="the model to ask of the target")
    group.addoption(
        "--headrace-target-pid", default=None, type=int, metavar="PID", help="the target's process, to watch"
    )
    group.addoption("--headrace-report", default=None, metavar="DIR", help="where to write the reports")
    group.addoption("--headrace-scenario", action="append", default=[], metavar="NAME", help="run only this scenario")
    group.addoption("--headrace-criteria", default=None, metavar="FILE", help="criteria in place of the suite's own")
    group.addoption("--headrace-baseline", default=None, metavar="FILE", help="an earlier report.json to compare with")
    group.addoption(
        "--headrace-tolerance",
        default=10.0,
        type=float,
        metavar="PERCENT",
        help="by how much a figure may be worse than the baseline's",
    )
    group.addoption("--headrace-time-limit", default=None, type=float, metavar="SECONDS", help="for each scenario")
    group.addoption(
        "--headrace-total-time", default=None, type=float, metavar="SECONDS", help="begin no scenario after this time"
    )
    group.addoption(
        "--headrace-keep-late", action="store_true", help="count rounds that the load generator was late in"
    )
    group.addoption("--headrace-seed", default=1, type=int, metavar="N", help="the seed of the workload")
    group.addoption("--headrace-state", default=None, metavar="FILE", help="resume: skip what this file has as done")
    group.addoption(
        "--headrace-spoil", default=None, metavar="WHAT", help="spoil the target on purpose, to see it found"
    )
    group.addoption("--headrace-live", action="store_true", help="ask a real provider, whose key the environment holds")
    group.addoption("--headrace-budget", default=None, metavar="USD", help="the most that --headrace-live may spend")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line(
        "markers",
        "scenario(name, suite=None, title='', seconds=10, criteria=None): a load scenario and what must hold",
    )


def _session(config: pytest.Config) -> LoadSession:
    if _KEY not in config.stash:
        from headrace.loadtest.session import LoadSession

        _end_orderly(config)
        config.stash[_KEY] = LoadSession(config)
    return config.stash[_KEY]


def _end_orderly(config: pytest.Config) -> None:
    """Let SIGTERM, by which CI ends a job, end the run as Ctrl-C does: with a report of what was shown so far."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.add_cleanup(_end_at_once)


def _end_at_once() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the scenarios of the suite that is asked for; other tests are left alone."""
    marks = [mark for item in items if (mark := item.get_closest_marker("scenario")) is not None]
    if not marks:
        return
    wanted = _session(config)
    there = {mark.args[0] for mark in marks if _is_of(mark, wanted.suite)}
    for name in wanted.only:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            known = f"did you mean {near[0]}?" if near else f"give one of {', '.join(sorted(there))}"
            raise pytest.UsageError(f"the {wanted.suite} suite has no scenario {name!r}: {known}")
    kept = [item for item in items if _is_wanted(item, wanted)]
    dropped = [item for item in items if item not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _is_wanted(item: pytest.Item, session: LoadSession) -> bool:
    mark = item.get_closest_marker("scenario")
    if mark is None:
        return True
    named = not session.only or mark.args[0] in session.only
    return named and _is_of(mark, session.suite) and not session.is_done(mark)


def _is_of(mark: pytest.Mark, suite: str) -> bool:
    """Whether a scenario belongs to a suite: one that names none belongs to all, one may belong to several."""
    named = mark.kwargs.get("suite")
    return named is None or suite in ((named,) if isinstance(named, str) else named)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which scenarios are left when all selection is done."""
    if _KEY in session.config.stash:
        found = [item.get_closest_marker("scenario") for item in session.items]
        marks = [mark for mark in found if mark is not None]
        load = session.config.stash[_KEY]
        load.expect(marks)
        terminal: Any = session.config.pluginmanager.getplugin("terminalreporter")
        for line in load.needs(marks) if terminal else []:
            terminal.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no scenario when the time of the whole run is up."""
    if _KEY in item.config.stash and item.get_closest_marker("scenario") and item.config.stash[_KEY].time_is_up():
        pytest.skip("the time of the whole run is up")


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """The scenario that the test's mark names: `rounds()` to measure in."""
    mark = request.node.get_closest_marker("scenario")
    if mark is None:
        pytest.fail("the scenario fixture needs @pytest.mark.scenario(name, ...) on the test")
    return _session(request.config).open(request.node, mark)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Judge a scenario when its test is through."""
    __tracebackhide__ = True
    error = ""
    try:
        outcome = yield
    except pytest.skip.Exception:
        if _KEY in item.config.stash:
            item.config.stash[_KEY].drop(item)
        raise
    except (KeyboardInterrupt, SystemExit, pytest.exit.Exception):
        if _KEY in item.config.stash:
            item.config.stash[_KEY].interrupt(item)
        raise
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
        raise
    finally:
        problems = []
        if _KEY in item.config.stash:
            problems = item.config.stash[_KEY].close(item, error)
    if problems:
        pytest.fail("not ready:\n  " + "\n  ".join(problems), pytrace=False)
    return outcome


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where the verdict is not ready, even if every test that ran has passed."""
    if _KEY in session.config.stash and session.exitstatus == pytest.ExitCode.OK:
        load = session.config.stash[_KEY]
        if load.has_run and not load.result.ready:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Watch:
    """Keeps the result of a run for who started pytest."""

    result: SuiteResult | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take the result when all is over."""
        if _KEY in config.stash:
            self.result = config.stash[_KEY].result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the verdict first, then the table; write the reports."""
    if _KEY in config.stash and config.stash[_KEY].has_run and not config.option.collectonly:
        config.stash[_KEY].finish(terminalreporter.write_line)
