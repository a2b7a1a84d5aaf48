"""One round of a scenario, and what it records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from headrace.loadgen import Run
from headrace.loadtest.groups import Groups


class Round:
    """One round of a scenario: samples that count together, or not at all."""

    def __init__(self, index: int) -> None:
        self.index = index
        self._trends: dict[str, list[float]] = {}
        self._rates: dict[str, tuple[int, int]] = {}
        self._counts: dict[str, float] = {}
        self._series: dict[str, tuple[str, list[tuple[float, float]]]] = {}
        self._errors: Counter[str] = Counter()
        self._notes: list[str] = []
        self._untested: dict[str, str] = {}
        self.void_because: str | None = None
        # What it was like for each priority and tenant.
        self.groups = Groups()

    def trend(self, metric: str, values: Iterable[float]) -> None:
        """Add values of a quantity, in order of time; times in milliseconds."""
        self._trends.setdefault(metric, []).extend(float(value) for value in values)

    def rate(self, metric: str, successes: int, trials: int) -> None:
        """Add how often something came out as it should."""
        before = self._rates.get(metric, (0, 0))
        self._rates[metric] = (before[0] + successes, before[1] + trials)

    def count(self, metric: str, n: float) -> None:
        """Add how many of something there were; 0 is worth telling."""
        self._counts[metric] = self._counts.get(metric, 0.0) + n

    def check(self, metric: str, holds: bool) -> None:
        """Add one check that holds or not."""
        self.rate(metric, int(holds), 1)

    def series(self, name: str, points: Iterable[tuple[float, float]], axes: str = "seconds, milliseconds") -> None:
        """Add points for a plot: (x, y), with the names of the axes."""
        self._series.setdefault(name, (axes, []))[1].extend(points)

    def run(self, run: Run, *, latency: str = "latency_ms", own_ms: float | None = 0.0) -> None:
        """Add a run of the load generator: success, latency, errors by kind, throughput; void where it was late itself.

        Args:
            run: what `open_loop` or `closed_loop` gave.
            latency: the metric that takes how long each answer took from when it was due.
            own_ms: the target's own latency, which is taken off; None takes the fastest answer for it.
        """
        if run.void:
            self.void(run.void)
        samples = run.samples()
        succeeded = samples["status"] == 0
        times = samples["latency"][succeeded] * 1000
        own = own_ms if own_ms is not None else float(times.min(initial=np.inf))
        beyond = np.maximum(0.0, times - own)
        self.rate("success", int(succeeded.sum()), len(run))
        self.trend(latency, beyond)
        if own_ms != 0.0:
            self.trend("answer_ms", times)
        self.errors(run.summary()["errors"])
        self.count("shed", int((samples["status"] == 2).sum()))
        self.groups.add(run)
        self.trend("throughput", [int(succeeded.sum()) / max(run.length, 1e-9)])
        name = latency.removesuffix("_ms").replace("_", " ")
        self.series(name, zip(samples["intended"][succeeded].tolist(), beyond.tolist(), strict=True))

    def errors(self, kinds: Mapping[str, int]) -> None:
        """Add how many requests failed, by kind, as `Run.summary()["errors"]` has them."""
        self._errors.update(kinds)

    def note(self, text: str) -> None:
        """Say something that the report must state, such as what could not be tested; twice the same is said once."""
        self._notes.append(text)

    def untested(self, metric: str, because: str) -> None:
        """Declare that this target cannot be tested for something: its criteria are left out, and the report says so."""
        self._untested[metric] = because
        self.note(f"not tested: {metric}: {because}")

    @property
    def is_without_answer(self) -> bool:
        """Whether requests failed, and none is known to have been answered."""
        return bool(self._errors) and not any(successes for successes, _ in self._rates.values())

    def void(self, because: str) -> None:
        """Declare that nothing may be concluded from this round, for example as the generator was the bottleneck."""
        self.void_because = because
