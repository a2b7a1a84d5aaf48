"""Coordinated omission on a real process: a server that is stopped and continued, beside what arithmetic says."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from headrace.loadgen import Arrivals, Target, closed_loop, open_loop

RATE = 100
LENGTH = 8.0
STOPS = (1.0, 5.0)
STOPPED = 1.0
# Requests are due every 10 ms, so a stop holds one more or one fewer; a signal takes effect a little after it is sent.
CLOSE = 0.03

SERVER = """
import time
from headrace.providers import SimulatedServer
server = SimulatedServer(time_to_first_token=0, tokens_per_second=0)
print(server.url, flush=True)
time.sleep(3600)
"""


def stop_and_continue(process, begun, stopped):
    """Stops the process at each of STOPS, and notes for how long it was at the least, however slow this thread is."""
    for at in STOPS:
        time.sleep(max(0.0, begun + at - time.monotonic()))
        process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        time.sleep(STOPPED)
        stopped.append(time.monotonic() - since)
        process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def runs():
    """The same stops, seen by an open and by a closed loop at once."""
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("this system cannot stop a process")
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().strip()
            target = Target.http(url, model="esg", stream=False)
            closed_loop(target, ["warm"], users=4, per_user=5)
            stopped = []
            stopper = threading.Thread(target=stop_and_continue, args=(server, time.monotonic(), stopped))
            with ThreadPoolExecutor(2) as pool:
                stopper.start()
                # One user who asks every 10 ms: as many requests a second, where nothing stalls.
                waiting = pool.submit(closed_loop, target, ["a"], users=1, think=1 / RATE, length=LENGTH, max_lag=1.0)
                due = pool.submit(open_loop, target, ["a"], Arrivals.constant(RATE), length=LENGTH, max_lag=LENGTH)
                opened, closed = due.result(), waiting.result()
            stopper.join()
        finally:
            server.kill()
    assert opened.void is None
    assert opened.summary()["succeeded"] == RATE * LENGTH
    return opened, closed, stopped


def test_the_open_loop_shows_the_stop_as_arithmetic_says(runs):
    """Requests due in a stop of D seconds wait D, D - 1/rate, .. 0: evenly spread, and so are the quantiles.

    That is the least, on any machine: what a busy one adds comes on top.
    """
    opened, _, stopped = runs
    length, share = float(np.mean(stopped)), sum(stopped) / LENGTH
    summary = opened.summary()["latency_ms"]
    assert summary["max"] / 1000 > max(stopped) - CLOSE
    for quantile, name in ((0.90, "p90"), (0.95, "p95"), (0.99, "p99")):
        # Of all requests `share` wait, so the quantile q of all is the quantile 1 - (1 - q) / share of those.
        expected = length * (1 - (1 - quantile) / share)
        assert summary[name] / 1000 >= expected - CLOSE, name
    latency = opened.samples()["latency"]
    for limit in (0.1, 0.25, 0.5, 0.75):
        expected = share * (1 - limit / length)
        assert np.mean(latency > limit) >= expected - CLOSE / LENGTH * len(STOPS), limit


def test_the_closed_loop_hides_it(runs):
    """Its one user meets each stop once: two requests of hundreds, however long the stop; a busy machine adds a few."""
    opened, closed, stopped = runs
    latency = closed.samples()["service"]
    assert len(STOPS) <= np.sum(latency > 0.5 * min(stopped)) < 0.02 * len(latency)
    hidden, shown = (run.summary()["latency_ms"]["p95"] for run in (closed, opened))
    assert hidden < shown / 2
