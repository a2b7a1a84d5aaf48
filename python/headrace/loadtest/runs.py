"""From a run of the load generator to the samples of a round."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from headrace import loadgen
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.targets import Targets
from headrace.workload import Request

# Python threads take turns, so a target in Python is sent to later than one in Rust. Latency counts from when a
# request was due: what lag there is makes a figure worse, never better.
PYTHON_LAG = 0.15


def latencies_ms(run: loadgen.Run) -> npt.NDArray[np.float64]:
    """How long each request that succeeded took from when it was due, in the order of sending."""
    samples = run.samples()
    latency: npt.NDArray[np.float64] = samples["latency"][samples["status"] == 0] * 1000
    return latency


def ask(
    targets: Targets, client: Any, scenario: Scenario, requests: list[Request], users: int, per_user: int, **chat: Any
) -> loadgen.Run:
    """Let users ask through a client, closed loop, until they are through or the scenario's time is up."""

    def one(request: Request) -> Any:
        chat.setdefault("cache", False)
        return client.chat(targets.model, request.messages, priority=request.priority, timeout=20, **chat)

    return loadgen.closed_loop(
        loadgen.Target.python(one, workers=targets.workers(users)),
        requests,
        users=users,
        per_user=per_user,
        length=scenario.seconds,
        max_lag=PYTHON_LAG,
        seed=scenario.seed,
    )
