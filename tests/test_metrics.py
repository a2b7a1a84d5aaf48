"""What a client counts of its calls: once each, whatever became of it, in names that stay few."""

import asyncio
import json
import pickle
import re
import time

import headrace
import pytest


def client_of(**options):
    return headrace.Client(
        headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0, **options), max_attempts=2
    )


def series_of(client):
    return {(s.operation, s.model, s.cache, s.error): s for s in client.metrics().calls}


def test_each_call_is_counted_once_by_how_it_ended():
    client = client_of()
    client.chat("simulated/echo", "Which scope is travel?")
    client.chat("simulated/echo", "Which scope is travel?")
    with client.stream("simulated/echo", "Which scope is heat?") as stream:
        "".join(chunk.text for chunk in stream)
    client.embed("simulated/embedding", ["one", "two"])
    with pytest.raises(headrace.UnknownModel):
        client.chat("nowhere/at-all", "?")
    told = series_of(client)
    answered = told["chat", "echo", None, None]
    assert (answered.calls, answered.first_chunk["count"], answered.attempts) == (2, 1, 2)
    assert answered.provider == "simulated"
    assert answered.input_tokens > 0 and answered.duration["p99"] >= answered.duration["p50"] > 0
    hit = told["chat", "echo", "exact", None]
    assert (hit.calls, hit.attempts, hit.input_tokens, hit.cost) == (1, 0, 0, 0)
    assert told["embeddings", "embedding", None, None].calls == 1
    refused = told["chat", "other", None, "unknown_model"]
    assert (refused.provider, refused.calls) == ("headrace", 1)
    assert client.metrics().in_flight == 0


def test_attempts_that_a_retry_mended_are_counted_too():
    client = client_of(faults={"rates": [["rate_limit", 1.0]]})
    with pytest.raises(headrace.RateLimited):
        client.chat("simulated/echo", "?")
    told = client.metrics()
    assert told.failures == {"simulated": {"rate_limited": 2}}
    assert [s.error for s in told.calls] == ["rate_limited"]


def test_a_call_whose_caller_left_is_cancelled():
    client = headrace.Client(headrace.providers.Simulated(time_to_first_token=60))

    async def leave():
        task = asyncio.create_task(client.achat("simulated/echo", "?"))
        while (await client.ametrics()).in_flight == 0:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    end = time.monotonic() + 30
    while not client.metrics().calls and time.monotonic() < end:
        time.sleep(0.01)
    assert [(s.error, s.model) for s in client.metrics().calls] == [("cancelled", "echo")]
    assert client.metrics().in_flight == 0


def test_figures_are_values():
    client = client_of()
    client.chat("simulated/echo", "Which scope is travel?")
    told = client.metrics()
    copy = pickle.loads(pickle.dumps(told))
    assert copy == told and copy.to_prometheus() == told.to_prometheus()
    assert json.loads(json.dumps(told.to_dict()))["calls"][0]["model"] == "echo"
    with pytest.raises(AttributeError):
        told.in_flight = 3


SAMPLE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [-+0-9.e]+$')


def test_prometheus_reads_the_text():
    client = client_of()
    client.chat("simulated/echo", "Which scope is travel?")
    client.chat("simulated/echo", "Which scope is travel?")
    text = client.metrics().to_prometheus()
    lines = text.splitlines()
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    samples = [line for line in lines if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.match(line)] == []
    labels = 'gen_ai_operation_name="chat",gen_ai_provider_name="simulated",gen_ai_request_model="echo",headrace_cache='
    assert f'gen_ai_client_operation_duration_seconds_count{{{labels}"miss"}} 1' in samples
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{labels}"exact",le="+Inf"}} 1' in samples
    assert 'headrace_cache_lookups_total{kind="exact"} 1' in samples
    buckets = [
        int(s.split()[-1])
        for s in samples
        if s.startswith(f'gen_ai_client_operation_duration_seconds_bucket{{{labels}"miss"')
    ]
    assert buckets == sorted(buckets) and buckets[-1] == 1


def test_names_of_a_callers_own_making_are_one_series():
    client = client_of()
    for number in range(50):
        with pytest.raises(headrace.UnknownModel):
            client.chat(f"made-up-{number}/model", "?")
    assert [(s.model, s.calls) for s in client.metrics().calls] == [("other", 50)]
