"""The processes behind a server's URL: who they are, and what they take while a scenario asks them."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from headrace.loadgen import ProcessSampler, theil_sen

_PROC = Path("/proc")
# The state LISTEN in /proc/net/tcp (proc(5)).
_LISTEN = "0A"


def listeners(url: str) -> list[int]:
    """The processes on this machine that listen where a URL points, by /proc; none where it is another machine's.

    Several processes share a socket where a server has forked its workers.

    Args:
        url: as http://127.0.0.1:8080/v1.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if not _is_local(parts.hostname or ""):
            return []
        inodes = _listening(port)
        return sorted(pid for pid in _processes() if inodes & _sockets(pid))
    except (OSError, ValueError):
        return []


def _is_local(host: str) -> bool:
    for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        if ipaddress.ip_address(str(address[0]).split("%")[0]).is_loopback:
            return True
        # One of this machine's own addresses can be bound; another machine's cannot.
        try:
            with socket.socket(socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET) as probe:
                probe.bind((address[0], 0))
                return True
        except OSError:
            continue
    return False


def _listening(port: int) -> set[str]:
    inodes = set()
    for table in (_PROC / "net/tcp", _PROC / "net/tcp6"):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _processes() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()] if _PROC.exists() else []


def _sockets(pid: int) -> set[str]:
    found = set()
    try:
        for entry in (_PROC / str(pid) / "fd").iterdir():
            found.add(str(entry.readlink()))
    except OSError:
        # Another user's, or gone by now.
        pass
    return found


class Watched:
    """Looks at processes while a scenario runs; figures are those of all of them together.

    Args:
        pids: whom to look at; this process where there are none.
        interval: seconds between looks.

    Raises:
        ValueError: there is no such process.
    """

    def __init__(self, pids: Sequence[int], *, interval: float = 0.05) -> None:
        self.pids = list(pids) or [os.getpid()]
        self._samplers = [ProcessSampler(pid, interval=interval) for pid in self.pids]

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the looking; what was seen stays."""
        for sampler in self._samplers:
            sampler.stop()

    def samples(self) -> dict[str, npt.NDArray[np.float64]]:
        """Columns `at` (seconds), `rss` (bytes), `cpu` (seconds), `files`, `threads`: sums, at the first one's times."""
        each = [sampler.samples() for sampler in self._samplers]
        at = each[0]["at"]
        columns = ("rss", "cpu", "files", "threads")
        summed = {name: np.sum([np.interp(at, one["at"], one[name]) for one in each], axis=0) for name in columns}
        return {"at": at, **summed}

    def growth(self, done: Sequence[float], column: str = "rss", warmup: float = 0.1) -> float:
        """Growth of memory (or of another column) by each request, by Theil and Sen; NaN where too little was seen.

        Over requests, not over time: a machine that is busy with something else does fewer, and leaks no less by each.

        Args:
            done: when requests ended, in seconds on the clock of `samples`.
            column: of `samples`.
            warmup: the first share of the requests is left out.
        """
        seen = self.samples()
        so_far = np.searchsorted(np.sort(np.asarray(done)), seen["at"], side="right").astype(np.float64)
        kept = (so_far >= warmup * len(done)) & (np.diff(so_far, prepend=-1.0) > 0) & ~np.isnan(seen[column])
        if kept.sum() < 3:
            return float("nan")
        return float(theil_sen(so_far[kept], seen[column][kept]).value)

    def figures(self) -> dict[str, Any]:
        """What the report has of it."""
        seen = self.samples()
        length = float(seen["at"][-1])
        cpu = float(seen["cpu"][-1] - seen["cpu"][0])
        files = seen["files"][~np.isnan(seen["files"])]
        return {
            "pids": self.pids,
            "name": _name(self.pids[0]),
            "cpu_seconds": round(cpu, 3),
            "cores": round(cpu / length, 3) if length else 0.0,
            "rss_mb_first": round(float(seen["rss"][0]) / 1e6, 1),
            "rss_mb_peak": round(float(seen["rss"].max()) / 1e6, 1),
            "rss_mb_last": round(float(seen["rss"][-1]) / 1e6, 1),
            "files_peak": int(files.max()) if files.size else None,
        }

    @property
    def ended(self) -> bool:
        """Whether one of them is no more."""
        return any(not (_PROC / str(pid)).exists() for pid in self.pids) if _PROC.exists() else False


def _name(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def told(figures: dict[str, Any]) -> str:
    """The figures in a line.

    >>> told({"pids": [42], "name": "serve", "cpu_seconds": 1.5, "cores": 0.5, "rss_mb_first": 80.0,
    ...       "rss_mb_peak": 95.5, "rss_mb_last": 94.0, "files_peak": 31})
    'the target, process 42 (serve): 0.50 cores, memory 80 MB at first, 96 at most, 94 at last, 31 open files at most'
    """
    pids = ", ".join(map(str, figures["pids"]))
    files = "" if figures["files_peak"] is None else f", {figures['files_peak']} open files at most"
    return (
        f"the target, process {pids} ({figures['name']}): {figures['cores']:.2f} cores, memory "
        f"{figures['rss_mb_first']:.0f} MB at first, {figures['rss_mb_peak']:.0f} at most, "
        f"{figures['rss_mb_last']:.0f} at last{files}"
    )
