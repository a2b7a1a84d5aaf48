"""What was measured: samples of one quantity, round by round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass
class Trend:
    """Values of a quantity in order of time, by default milliseconds."""

    rounds: list[npt.NDArray[np.float64]] = field(default_factory=list)

    def add(self, values: Iterable[float]) -> None:
        """Add a round's values."""
        array = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=np.float64).ravel()
        if array.size:
            self.rounds.append(array)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """All values of all rounds."""
        return np.concatenate(self.rounds) if self.rounds else np.empty(0)

    @property
    def replicated(self) -> bool:
        """Whether each round gave one figure of its own: independent replications, not neighbours in a queue."""
        return all(len(values) == 1 for values in self.rounds)

    def __len__(self) -> int:
        return sum(len(values) for values in self.rounds)


@dataclass
class Rate:
    """How often something came out as it should."""

    successes: int = 0
    trials: int = 0

    def add(self, successes: int, trials: int) -> None:
        """Add a round's outcome."""
        if not 0 <= successes <= trials:
            raise ValueError(f"{successes} of {trials}: successes must be from 0 to the number of trials")
        self.successes += successes
        self.trials += trials

    def __len__(self) -> int:
        return self.trials


@dataclass
class Count:
    """How many of something there were; `looks` says how often one looked."""

    total: float = 0.0
    looks: int = 0

    def add(self, n: float) -> None:
        """Add a round's number."""
        self.total += n
        self.looks += 1

    def __len__(self) -> int:
        return self.looks


Metric = Trend | Rate | Count
