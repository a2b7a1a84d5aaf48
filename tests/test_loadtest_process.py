"""Which process is behind a URL, and what it takes while it is asked."""

import os
import socket
import subprocess
import sys
import time

import pytest
from headrace.loadtest.process import Watched, listeners
from loadtest_help import free_port, loadtest, outcomes, small_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_process_that_listens_is_found(family, host):
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listening.listen()
        port = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        assert listeners(f"http://{shown}:{port}/v1") == [os.getpid()]
        assert listeners(f"http://{shown}:{free_port()}/v1") == []
        # A documentation address (RFC 5737) is never this machine's, whatever listens on that port here.
        assert listeners(f"http://192.0.2.1:{port}/v1") == []
    for odd in ("http://no-such-host.invalid/v1", "http://127.0.0.1:99999/v1", "nonsense", ""):
        assert listeners(odd) == []


def test_workers_that_share_a_socket_are_counted_together():
    code = "import os, socket, time; s = socket.create_server(('127.0.0.1', 0)); os.fork(); print(s.getsockname()[1] if os.getpid() == os.getpgrp() else '', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            port = next(line.strip() for line in server.stdout if line.strip())
            found = listeners(f"http://localhost:{port}/v1")
            assert len(found) == 2
            assert server.pid in found
            with Watched(found, interval=0.02) as both, Watched([server.pid], interval=0.02) as one:
                time.sleep(0.2)
            assert both.samples()["rss"][-1] > 1.2 * one.samples()["rss"][-1]
            assert both.figures()["files_peak"] > one.figures()["files_peak"] > 0
            assert not both.ended
        finally:
            os.killpg(server.pid, 9)
    assert both.ended


def test_a_server_that_leaks_is_found_and_its_process_is_told(tmp_path):
    with small_server(tmp_path, "--leak", "64") as url:
        done, told = loadtest(url, "small", tmp_path, "--scenario", "memory_usage")
    assert done.returncode == 99, done.stdout + done.stderr
    assert outcomes(told)["kib_per_request: avg < 32"] == "failed"
    process = told["scenarios"][0]["target_process"]
    assert process["pids"] != [os.getpid()]
    assert process["rss_mb_last"] > process["rss_mb_first"] + 50
    assert process["cpu_seconds"] > 0.1
    assert process["files_peak"] > 3
    assert f"memory_usage: the target, process {process['pids'][0]} (python" in done.stdout


def test_a_server_that_does_not_leak_is_not_accused(tmp_path):
    with small_server(tmp_path) as url:
        done, told = loadtest(url, "small", tmp_path, "--scenario", "memory_usage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(told)["kib_per_request: avg < 32"] == "met"


def test_the_process_can_be_given(tmp_path):
    with small_server(tmp_path) as url:
        arguments = ["--scenario", "concurrent_handling", "--target-pid"]
        _, told = loadtest(url, "small", tmp_path, *arguments, str(os.getpid()), suite="focused")
        assert told["scenarios"][0]["target_process"]["pids"] == [os.getpid()]
        done, _ = loadtest(url, "small", tmp_path / "none", *arguments, "4194305", suite="focused")
    assert done.returncode == 2
    assert "--target-pid 4194305" in done.stdout + done.stderr
