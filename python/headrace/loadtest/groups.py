"""What a run was like for each priority and each tenant, over all rounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace import loadgen

PRIORITIES = ("critical", "high", "normal", "low")
# More rows than this nobody reads.
_MOST = 12


class Groups:
    """Latencies and failures by group, such as ("priority", "critical")."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[npt.NDArray[np.float64]]] = {}
        self._failed: dict[tuple[str, str], int] = {}

    def add(self, run: loadgen.Run) -> None:
        """Count a run's requests for their priority and their tenant."""
        samples = run.samples()
        succeeded = samples["status"] == 0
        for by, column, names in (("priority", "priority", PRIORITIES), ("tenant", "tenant", run.tenants)):
            for number in np.unique(samples[column]):
                group, mine = (by, names[int(number)]), samples[column] == number
                self._times.setdefault(group, []).append(samples["latency"][mine & succeeded] * 1000)
                self._failed[group] = self._failed.get(group, 0) + int((mine & ~succeeded).sum())

    def update(self, other: Groups) -> None:
        """Take over what another has counted."""
        for group, times in other._times.items():
            self._times.setdefault(group, []).extend(times)
            self._failed[group] = self._failed.get(group, 0) + other._failed[group]

    def figures(self) -> list[dict[str, Any]]:
        """A row for each group, priorities first; none where all are of one."""
        return [row for by in ("priority", "tenant") for row in self._rows(by)]

    def _rows(self, by: str) -> Iterator[dict[str, Any]]:
        mine = [group for group in self._times if group[0] == by]
        if len(mine) < 2:
            return
        order = PRIORITIES.index if by == "priority" else str
        for group in sorted(mine, key=lambda group: order(group[1]))[:_MOST]:
            times, failed = np.concatenate(self._times[group]), self._failed[group]
            at = np.quantile(times, [0.5, 0.95, 0.99]).round(3).tolist() if times.size else [None] * 3
            yield {
                "by": by,
                "name": group[1],
                "requests": int(times.size) + failed,
                "failed": failed,
                **dict(zip(("p50_ms", "p95_ms", "p99_ms"), at, strict=True)),
            }
