"""Parts that are spoilt on purpose: each is found, by the criterion that is there for it."""

from functools import partial

import pytest
from headrace.loadtest import criteria
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.scenarios import (
    test_api,
    test_cache_load,
    test_client_load,
    test_cost_load,
    test_focused,
    test_memory,
    test_queue_load,
)
from headrace.loadtest.spoils import SPOILS
from headrace.loadtest.targets import Targets

light = partial(test_client_load.test_load_pattern, users=10, per_user=5)

# What is spoilt, the scenario that must find it and for how long it runs, and the criterion that must name it.
SPOILT = [
    ("slow_queue", test_focused.test_queue_performance, 1, "queue_performance.enqueue_ms: avg < 20ms"),
    ("slow_queue", test_queue_load.test_queue_load, 1, "queue_load.enqueue_ms: avg < 20ms"),
    ("dropped_requests", test_focused.test_queue_performance, 1, "queue_performance.completed: rate == 1"),
    ("double_puts", test_focused.test_queue_performance, 1, "queue_performance.strays: count == 0"),
    ("priority_inversion", test_focused.test_queue_performance, 1, "queue_performance.order_errors: count == 0"),
    ("guards_off", test_focused.test_cache_efficiency, 1, "cache_efficiency.wrong_hits: count == 0"),
    ("guards_off", test_cache_load.test_cache_load, 1, "cache_load.wrong_hits: count == 0"),
    ("tenant_leak", test_cache_load.test_cache_load, 1, "cache_load.foreign_hits: count == 0"),
    ("stale_cache", test_cache_load.test_cache_load, 1, "cache_load.expired_hits: count == 0"),
    ("wrong_price", test_focused.test_cost_accuracy, 1, "cost_accuracy.exact: rate == 1"),
    ("wrong_price", test_cost_load.test_cost_volume, 1, "cost_volume.exact: rate == 1"),
    ("asks_twice", test_client_load.test_fault_schedule, 1, "fault_schedule.needless_attempts: count == 0"),
    ("double_booking", test_client_load.test_fault_schedule, 1, "fault_schedule.misbooked: count == 0"),
    ("loose_budget", test_cost_load.test_budget_exhaustion, 1, "budget_exhaustion.over_budget: count == 0"),
    ("swapped_answers", test_client_load.test_concurrent_load, 1, "concurrent_load.mixed_up: count == 0"),
    ("cut_streams", test_api.test_api_endpoints, 1, "api_endpoints.broken_streams: count == 0"),
    ("stalled_provider", test_focused.test_concurrent_handling, 1, "concurrent_handling.overhead_mean_ms: med < 20ms"),
    ("slows_down", test_memory.test_soak, 14, "soak.slowdown: med < 1.5"),
    ("leak", test_memory.test_memory_usage, 2, "memory_usage.kib_per_request: avg < 32"),
    ("starved_generator", light, 1, "load_light: all"),
]


def test_each_way_to_spoil_is_tried():
    assert {row[0] for row in SPOILT} == set(SPOILS)


@pytest.mark.parametrize(("spoil", "run", "seconds", "found"), SPOILT, ids=[f"{row[0]}-{row[3]}" for row in SPOILT])
def test_what_is_spoilt_is_found(spoil, run, seconds, found):
    name = found.split(".")[0].split(":")[0]
    listed = [one for suite in ("focused", "comprehensive") for one in criteria.load(suite) if one.scenario == name]
    is_time = "_ms" in found or spoil == "starved_generator"
    # On a busy machine rounds are void, and few samples decide nothing: then it runs for longer.
    for longer in (1, 4, 16):
        targets = Targets(spoil=spoil)
        scenario = Scenario(name, name, listed, seconds=longer * seconds, seed=1, config=targets)
        run(scenario)
        targets.close()
        problems = scenario.result().problems
        if is_time or any(problem.startswith(f"{found} (failed") for problem in problems):
            break
    # A time may also be undecided, where the machine is too busy to tell.
    assert any(problem.startswith(found) for problem in problems), problems
    if spoil == "starved_generator":
        assert scenario.result().rounds == 0
        assert {result.decision.outcome for result in scenario.judge()} == {"undecided"}
    elif not is_time:
        assert any(problem.startswith(f"{found} (failed") for problem in problems), problems
