"""Each endpoint of an OpenAI-compatible server: plain and streamed, small and large, malformed, with wrong keys."""

from __future__ import annotations

import pytest

from headrace.loadgen import Arrivals, Target, open_loop
from headrace.loadtest.endpoints import Api, checks
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.targets import target_key
from headrace.workload import ESG

KEY = "key-of-the-load-suite"
# How a stream ends that began, and was not whole.
BROKEN = ("truncated", "disconnect", "malformed", "stream_error")


@pytest.mark.scenario("api_endpoints", suite=("comprehensive", "target"), title="API endpoints", seconds=10.0)
def test_api_endpoints(scenario: Scenario) -> None:
    """What each endpoint must answer, then 100 chats a second: 450 streams at least, to see one in a hundred break off."""
    targets = scenario.config
    if targets.live:
        pytest.skip("malformed input and wrong keys are not for a provider that is paid")
    model = targets.model.split("/", 1)[1]
    key = target_key() if targets.url else KEY
    url = targets.address() or targets.server(api_keys=[KEY], time_to_first_token=0.005, tokens_per_second=0).url
    for round in scenario.rounds(least=3):
        api = Api(url, key)
        for check in checks(api, model):
            if check.holds is None:
                round.note(f"not tested: {check.name}: {check.why}")
                continue
            round.check(check.metric, check.holds)
            if not check.holds:
                round.note(f"does not hold: {check.name}: {check.why}")
        round.errors(api.errors)
        for stream, metric in ((True, "stream_ms"), (False, "plain_ms")):
            target = Target.http(url, model=model, api_key=key, stream=stream, timeout=10)
            run = open_loop(
                target,
                ESG(seed=scenario.seed),
                Arrivals.poisson(100),
                length=1.5 if stream else 0.5,
                seed=round.index,
                max_lag=0.05,
                drain=10,
            )
            round.run(run, latency=metric)
            if stream:
                first = run.samples()["first_token"]
                round.trend("first_token_ms", first[first == first] * 1000)
                kinds = run.summary()["errors"]
                round.count("broken_streams", sum(kinds.get(kind, 0) for kind in BROKEN))
