"""`headrace loadtest ...`: run the load suite and give its verdict."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]

_NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


def register(subparsers: Subparsers) -> None:
    """Add `loadtest`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    loadtest = subparsers.add_parser(
        "loadtest",
        help="run the load suite; exit status 0 ready, 99 not ready, 2 could not run",
        description="Run a suite of load scenarios and give a verdict with its evidence.",
    )
    add = loadtest.add_argument
    add("suite", nargs="?", default="focused", choices=["focused", "comprehensive", "target"])
    add("--target", metavar="URL", help="an OpenAI-compatible server in place of the simulated provider")
    add("--model", metavar="MODEL", help="the model to ask of the target")
    add(
        "--target-pid", type=int, metavar="PID", help="its process, to watch; found by the URL if it is on this machine"
    )
    add("--report", metavar="DIR", help="where to write report.html, report.json, report.md and junit.xml")
    add("--scenario", action="append", default=[], metavar="NAME", help="run only this one; may be repeated")
    add("--criteria", metavar="FILE", help="criteria in place of the suite's own")
    add("--baseline", metavar="FILE", help="a report.json of an earlier run: every figure is compared with it")
    add("--against", metavar="PYTHON|URL", help="another version or server: run both in turns, and say what is worse")
    add("--pairs", type=int, default=5, metavar="N", help="how many runs of each, with --against (%(default)s)")
    add(
        "--tolerance",
        type=float,
        default=10.0,
        metavar="PERCENT",
        help="by how much a figure may become worse, with --baseline and --against (%(default)g)",
    )
    add("--time-limit", type=float, metavar="SECONDS", help="for each scenario")
    add("--total-time", type=float, metavar="SECONDS", help="begin no scenario after this time")
    add("--keep-late", action="store_true", help="count rounds that the load generator was late in, on a busy machine")
    add("--resume", metavar="FILE", help="skip what this file has as ready, and write what is done into it")
    add("--seed", type=int, default=1, metavar="N", help="the seed of the workload (%(default)s)")
    add("--live", action="store_true", help="ask the real provider whose key the environment holds")
    add("--budget", metavar="USD", help="the most that --live may spend")
    add("--spoil", metavar="WHAT", help="spoil the target on purpose, to see that it is found")
    loadtest.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run `headrace loadtest`: 0 ready, 99 not ready, 2 could not run."""
    try:
        import pytest
    except ImportError:
        print("headrace: the load suite needs pytest: pip install 'headrace[loadtest]'", file=sys.stderr)
        return 2
    from headrace.loadtest import plugin
    from headrace.loadtest.verdict import COULD_NOT_RUN

    if given.against is not None:
        return _against(given)
    options = {
        "--headrace-target": given.target,
        "--headrace-model": given.model,
        "--headrace-target-pid": given.target_pid,
        "--headrace-report": given.report,
        "--headrace-criteria": given.criteria,
        "--headrace-baseline": given.baseline,
        "--headrace-tolerance": given.tolerance,
        "--headrace-time-limit": given.time_limit,
        "--headrace-total-time": given.total_time,
        "--headrace-state": given.resume,
        "--headrace-budget": given.budget,
        "--headrace-spoil": given.spoil,
    }
    command = ["--pyargs", "headrace.loadtest.scenarios", "--suite", given.suite, f"--headrace-seed={given.seed}"]
    command += [f"{name}={value}" for name, value in options.items() if value is not None]
    command += [f"--headrace-scenario={name}" for name in given.scenario]
    command += ["--headrace-live"] if given.live else []
    command += ["--headrace-keep-late"] if given.keep_late else []
    watch = plugin.Watch()
    # Only what the suite needs: other plugins of this environment take seconds to load, and may reorder its tests.
    with _only_our_plugin():
        status = pytest.main(
            [
                *command,
                "-p",
                plugin.__name__,
                "-q",
                "--no-header",
                "-p",
                "no:cacheprovider",
                "-c",
                os.devnull,
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
            ],
            plugins=[watch],
        )
    if watch.result is None:
        return COULD_NOT_RUN
    interrupted = status == pytest.ExitCode.INTERRUPTED
    return COULD_NOT_RUN if interrupted else watch.result.exit_code


@contextmanager
def _only_our_plugin() -> Iterator[None]:
    """Keep pytest from loading what it finds installed, and leave the environment as it was."""
    before = os.environ.get(_NO_PLUGINS)
    os.environ[_NO_PLUGINS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_PLUGINS]
        else:
            os.environ[_NO_PLUGINS] = before


def _against(given: argparse.Namespace) -> int:
    from headrace.loadtest.against import compare

    options = {
        "--target": given.target,
        "--model": given.model,
        "--criteria": given.criteria,
        "--time-limit": given.time_limit,
        "--seed": given.seed,
        "--spoil": given.spoil,
    }
    arguments = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    arguments += [text for name in given.scenario for text in ("--scenario", name)]
    arguments += ["--keep-late"] if given.keep_late else []
    return compare(given.suite, arguments, given.against, given.pairs, given.tolerance / 100, given.report)
