"""The client on the simulated provider: one line from question to ledger, whole or not at all."""

import asyncio
import pickle
import threading

import headrace
import numpy as np
import pytest
from headrace.providers import OpenAICompatible, Simulated, SimulatedServer

ESG = "simulated/esg"
QUICK = {"time_to_first_token": 0, "tokens_per_second": 0, "retry_after": 0}
FAULTS = ["rate_limit", "server_error", "unavailable", "reset", "truncate", "malformed"]


def failing(*faults, forever=False):
    """The nth request fails in the nth way; the last goes on where `forever`."""
    until = [10**6 if forever and n + 1 == len(faults) else n + 1 for n in range(len(faults))]
    return {
        "schedule": [{"fault": f, "from": n, "until": u} for (n, f), u in zip(enumerate(faults), until, strict=True)]
    }


@pytest.fixture(params=["in process", "over http"])
def provider(request):
    """A function that makes a provider, with what counts its requests."""
    servers = []

    def make(**settings):
        if request.param == "in process":
            simulated = Simulated(**QUICK | settings)
            return simulated, simulated
        servers.append(SimulatedServer(**QUICK | settings))
        return OpenAICompatible(servers[-1].url, name="simulated"), servers[-1]

    yield make
    for server in servers:
        server.close()


def test_the_second_time_the_cache_answers_and_nothing_is_paid(provider):
    simulated, counter = provider()
    with headrace.Client([simulated]) as client:
        first = client.chat(ESG, "What are scope 1 emissions?", tenant="a")
        again = client.chat(ESG, "What are scope 1 emissions?", tenant="a")
        assert (first.cache, again.cache, again.text) == (None, "exact", first.text)
        assert again.cost == 0
        assert again.saved_cost == first.cost
        assert client.costs.total == first.cost
        assert counter.requests == 1
        assert client.chat(ESG, "What are scope 1 emissions?", tenant="b").cache is None
        assert client.chat(ESG, "What are scope 1 emissions?", tenant="a", temperature=0.5).cache is None
        assert client.chat(ESG, "What are scope 1 emissions?", tenant="a", cache=False).cache is None
        assert counter.requests == 4


def test_both_ways_to_the_simulated_provider_answer_alike():
    with SimulatedServer(**QUICK) as server:
        near = headrace.Client([Simulated(**QUICK)])
        far = headrace.Client([OpenAICompatible(server.url, name="simulated")])
        one, other = (client.chat(ESG, "What is double materiality?") for client in (near, far))
        assert one.text == other.text
        assert one.usage.input_tokens == other.usage.input_tokens
        assert one.usage.output_tokens == other.usage.output_tokens


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "truncate"])
def test_a_passing_fault_is_tried_again(provider, fault):
    simulated, counter = provider(faults=failing(fault))
    with headrace.Client([simulated]) as client:
        answer = client.chat("simulated/echo", "Which suppliers report to CDP?")
        assert answer.text == "Which suppliers report to CDP?"
        assert answer.attempts == counter.requests == 2


def test_half_an_answer_is_tried_again_or_not_kept(provider):
    simulated, counter = provider(faults=failing("truncate"))
    question = "Which suppliers report to CDP?"
    with headrace.Client([simulated]) as client:
        first, again = (client.chat("simulated/echo", question) for _ in range(2))
        assert again.text == question
        # Whether it is seen to be cut depends on how the provider is asked; either way the whole one took a second request.
        assert (again.cache == "exact") == (first.text == question)
        assert counter.requests == 2


@pytest.mark.parametrize("fault", ["rate_limit", "server_error", "unavailable", "reset", "malformed"])
def test_a_lasting_fault_leaves_nothing_behind(provider, fault):
    simulated, counter = provider(faults=failing(fault, forever=True))
    with headrace.Client([simulated], max_attempts=2) as client:
        client.costs.set_budget("1", tenant="t", period="day")
        with pytest.raises(headrace.ProviderError) as caught:
            client.chat(ESG, "What is the EU Taxonomy?", tenant="t")
        assert caught.value.is_retryable
        assert isinstance(caught.value, headrace.RateLimited) == (fault == "rate_limit")
        assert counter.requests == 2
        assert client.costs.total == 0
        counter.set_faults({})
        assert client.chat(ESG, "What is the EU Taxonomy?", tenant="t").cache is None


def test_a_fallback_answers_where_the_first_model_fails():
    with SimulatedServer(**QUICK, faults={"rates": {"server_error": 1.0}}) as server:
        broken = OpenAICompatible(server.url, name="broken")
        fallbacks = {"broken/esg": [ESG]}
        with headrace.Client([broken, Simulated(**QUICK)], fallbacks=fallbacks, max_attempts=1) as client:
            answer = client.chat("broken/esg", "What is SBTi?")
            assert answer.provider == "simulated"


@pytest.mark.parametrize(
    ("model", "messages", "params", "error"),
    [
        ("simulated/none", "a?", {}, headrace.UnknownModel),
        ("elsewhere/esg", "a?", {}, headrace.UnknownModel),
        ("esg", "a?", {}, headrace.UnknownModel),
        (ESG, "", {}, ValueError),
        (ESG, [], {}, ValueError),
        (ESG, [{"role": "user"}], {}, ValueError),
        (ESG, "a?", {"temperature": float("nan")}, ValueError),
        (ESG, "a?", {"temperature": -1}, ValueError),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(provider, model, messages, params, error):
    simulated, counter = provider()
    with headrace.Client([simulated]) as client:
        if model == "simulated/none" and not isinstance(simulated, Simulated):
            pytest.skip("only the server knows its models")
        with pytest.raises(error):
            client.chat(model, messages, **params)
        assert counter.requests == 0
        assert client.costs.total == 0


def test_a_wrong_key_is_said_once_and_never_shown():
    with SimulatedServer(**QUICK, api_keys=["sk-right"]) as server:
        wrong = OpenAICompatible(server.url, name="simulated", api_key="sk-wrong-key-42")
        with headrace.Client([wrong]) as client, pytest.raises(headrace.AuthenticationError) as caught:
            client.chat(ESG, "a?")
        assert caught.value.status_code == 401
        assert not caught.value.is_retryable
        assert server.requests <= 1
        assert "sk-wrong-key-42" not in f"{caught.value!r} {caught.value} {wrong!r} {client!r}"
        with pytest.raises(TypeError):
            pickle.dumps(wrong)


def test_a_dead_endpoint_is_unavailable():
    with SimulatedServer(**QUICK) as server:
        url = server.url
    with (
        headrace.Client([OpenAICompatible(url, name="gone")], max_attempts=1) as client,
        pytest.raises(headrace.ProviderUnavailable, match="base_url"),
    ):
        client.chat("gone/esg", "a?")


def test_equal_questions_at_once_are_asked_once(provider):
    simulated, counter = provider(time_to_first_token=0.3)
    with headrace.Client([simulated]) as client:
        barrier = threading.Barrier(8)

        def ask(_):
            barrier.wait()
            return client.chat(ESG, "What is a Scope 3 inventory?").text

        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(ask, range(8)))) == 1
        assert counter.requests == 1


def test_a_stream_adds_up_and_is_kept(provider):
    simulated, counter = provider()
    with headrace.Client([simulated]) as client:
        stream = client.stream(ESG, "What does GRI 305 ask for?")
        text = "".join(chunk.text for chunk in stream)
        assert stream.response.text == text
        assert client.costs.total == stream.response.cost
        assert client.chat(ESG, "What does GRI 305 ask for?").cache == "exact"
        assert counter.requests == 1


def test_asyncio_has_the_same_answers(provider):
    simulated, _ = provider()

    async def main(client):
        answers = await asyncio.gather(*(client.achat("simulated/echo", f"question {n}?") for n in range(50)))
        streamed = "".join(
            [chunk.text async for chunk in await client.astream("simulated/echo", "streamed?", cache=False)]
        )
        vectors = await client.aembed("simulated/embedding", ["a", "b"])
        return [answer.text for answer in answers], streamed, vectors

    with headrace.Client([simulated]) as client:
        texts, streamed, vectors = asyncio.run(main(client))
        assert texts == [f"question {n}?" for n in range(50)]
        assert streamed == "streamed?"
        np.testing.assert_array_equal(vectors, client.embed("simulated/embedding", ["a", "b"]))


def test_map_keeps_the_order_and_the_errors(provider):
    simulated, _ = provider()
    with headrace.Client([simulated]) as client:
        questions = [f"question {n}?" for n in range(40)]
        assert [r.text for r in client.map(questions, model="simulated/echo", concurrency=8)] == questions
    simulated, _ = provider(faults=failing("server_error"))
    with headrace.Client([simulated], max_attempts=1) as client:
        answers = client.map(["a?", "b?"], model="simulated/echo", concurrency=1, errors="return")
        assert isinstance(answers[0], headrace.ProviderError)
        assert answers[1].text == "b?"
        simulated_again, _ = provider(faults=failing("server_error"))
    with headrace.Client([simulated_again], max_attempts=1) as client, pytest.raises(headrace.ProviderError):
        client.map(["a?", "b?"], model="simulated/echo", concurrency=1)


def test_without_a_key_the_simulated_provider_answers_and_says_so(monkeypatch, caplog):
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with caplog.at_level("INFO", logger="headrace"):
        client = headrace.Client()
    assert "simulated" in caplog.text
    assert "simulated" in repr(client)


def test_the_official_sdk_speaks_to_the_server():
    openai = pytest.importorskip("openai")
    with SimulatedServer(**QUICK) as server, openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as sdk:
        messages = [{"role": "user", "content": "What is TCFD?"}]
        whole = sdk.chat.completions.create(model="esg", messages=messages)
        with sdk.chat.completions.create(model="esg", messages=messages, stream=True) as chunks:
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == whole.choices[0].message.content
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        assert "esg" in [model.id for model in sdk.models.list()]
        server.set_faults({"rates": {"rate_limit": 1.0}})
        with pytest.raises(openai.RateLimitError):
            sdk.chat.completions.create(model="esg", messages=messages)
