"""The client against a server that nobody here wrote: llmock, with its faults."""

import headrace
import pytest
from headrace.providers import OpenAICompatible

pytestmark = pytest.mark.filterwarnings("ignore")
testing = pytest.importorskip("llmock.testing")
scenarios = pytest.importorskip("llmock.scenarios")

MODEL = "openai/gpt-4o-mini"


@pytest.fixture
def server():
    with testing.LLMockServer() as running:
        yield running


@pytest.fixture
def client(server):
    provider = OpenAICompatible(server.base_url("openai"), name="openai", api_key="test", read_timeout=2)
    with headrace.Client([provider], max_attempts=1) as made:
        yield made


def test_chat_stream_and_embeddings_arrive_and_are_booked(client):
    answer = client.chat(MODEL, "What are scope 2 emissions?")
    assert answer.text
    assert answer.usage.output_tokens > 0
    assert client.costs.total == answer.cost > 0
    stream = client.stream(MODEL, "What are scope 3 emissions?")
    assert "".join(chunk.text for chunk in stream) == stream.response.text != ""
    assert client.costs.total == answer.cost + stream.response.cost
    assert client.embed("openai/text-embedding-3-small", ["a", "b"]).shape[0] == 2


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (401, headrace.AuthenticationError, False),
        (429, headrace.RateLimited, True),
        (500, headrace.ProviderUnavailable, True),
        (503, headrace.ProviderUnavailable, True),
        (400, headrace.ProviderError, False),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_has_its_type_and_costs_nothing(server, client, status, error, retryable, streamed):
    server.state.scenarios.add(scenarios.Fail(status, times=1))
    with pytest.raises(error) as caught:
        list(client.stream(MODEL, "a?")) if streamed else client.chat(MODEL, "a?")
    assert (caught.value.status_code, caught.value.is_retryable) == (status, retryable)
    assert client.costs.total == 0
    assert client.chat(MODEL, "a?").cache is None


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "stall", "malformed"])
def test_a_broken_stream_raises_and_is_not_kept(server, client, fault):
    server.state.scenarios.add(scenarios.StreamFault(fault, times=1))
    with pytest.raises(headrace.ProviderError):
        list(client.stream(MODEL, "What is a near miss?"))
    assert client.chat(MODEL, "What is a near miss?").cache is None


def test_a_rate_limit_that_passes_is_waited_out(server):
    provider = OpenAICompatible(server.base_url("openai"), name="openai", api_key="test")
    server.state.scenarios.add(scenarios.Fail(429, times=1))
    with headrace.Client([provider], max_attempts=3) as client:
        assert client.chat(MODEL, "a?").attempts == 2
