"""A redis-server of a test's own, on a free port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def redis_server(directory: Path, *arguments: str, config: Path | None = None, tls: bool = False) -> Iterator[str]:
    """Start one, and give its URL; without one on this machine, the test is skipped.

    Args:
        directory: Where it may write.
        arguments: More settings.
        config: A file of settings, in place of those that keep a server from writing snapshots.
        tls: Listen for TLS alone.
    """
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server on this machine: apt-get install redis-server")
    for _ in range(50):
        # Between the look for a free port and the start, another may take it.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port > 55_000:
            # A cluster's second port is 10,000 higher.
            continue
        listens = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
        settings = ["--save", ""] if config is None else []
        command = [found, *([str(config)] if config else []), *listens, "--bind", "127.0.0.1", *settings]
        command += ["--dir", str(directory)]
        server = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL)
        try:
            if is_up(server, port):
                yield f"redis://127.0.0.1:{port}"
                return
        finally:
            server.kill()
            server.wait()
    raise AssertionError("no redis-server would start")


def is_up(server: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
