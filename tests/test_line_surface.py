"""The Python surface of the line: twins, hooks, health, values that are pickled and turned into dicts, Ctrl-C."""

import asyncio
import json
import pickle
import signal
import subprocess
import sys
import threading

import headrace
import pytest
from raw_server import (
    CLOSE,
    EVERY_WAY,
    MODEL,
    RawServer,
    by_chat,
    by_stream,
    client_of,
    completion,
    error,
    http,
    told,
)

QUESTION = "What is TCFD?"
TOOL = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]


def test_astream_is_awaited_and_has_its_response():
    async def main(client):
        stream = await client.astream(MODEL, QUESTION)
        assert stream.response is None
        assert "".join([part.text async for part in stream]) == "An answer."
        assert stream.response.cost == client.costs.total > 0
        async with await client.astream(MODEL, QUESTION) as again:
            assert "".join([part.text async for part in again]) == "An answer."
        await again.aclose()
        return again.response

    with RawServer() as server, client_of(server) as client:
        assert asyncio.run(main(client)).cache == "exact"
        assert server.count == 1


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (error(401, "wrong key"), headrace.AuthenticationError),
        (error(400, "no"), headrace.ProviderError),
        (error(500, "broken"), headrace.ProviderUnavailable),
    ],
)
def test_what_fails_before_the_first_chunk_is_raised_where_the_stream_is_awaited(reply, raised):
    async def main(client):
        with pytest.raises(raised):
            await client.astream(MODEL, QUESTION)
        client.costs.set_budget("0.000001", period="ever")
        with pytest.raises(headrace.BudgetExceeded):
            await client.astream(MODEL, QUESTION, max_tokens=100)
        with pytest.raises(headrace.UnknownModel):
            await client.astream("nobody/m", QUESTION)
        with pytest.raises(ValueError):
            await client.astream(MODEL, "")

    with RawServer(reply) as server, client_of(server) as client:
        asyncio.run(main(client))


def test_a_client_in_async_with_maps_and_closes():
    async def main(server):
        async with client_of(server) as client:
            answers = await client.amap([f"{n}?" for n in range(20)], model=MODEL, concurrency=4)
            assert await client.amap([], model=MODEL) == []
        with pytest.raises(headrace.QueueClosed):
            await client.achat(MODEL, QUESTION)
        other = client_of(server)
        await other.aclose()
        with pytest.raises(headrace.QueueClosed):
            await other.achat(MODEL, QUESTION)
        return answers

    with RawServer(lambda request: http(200, completion(request.json["messages"][0]["content"]))) as server:
        assert [answer.text for answer in asyncio.run(main(server))] == [f"{n}?" for n in range(20)]
        assert server.count == 20


def test_the_first_error_of_a_map_ends_it_and_what_runs():
    never = threading.Event()

    def reply(request):
        is_first = request.json["messages"][0]["content"] == "0?"
        return [*error(400, "no", {"connection": "close"}), CLOSE] if is_first else [never]

    with RawServer(reply) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            client.map([f"{n}?" for n in range(50)], model=MODEL, concurrency=4)
        server.wait_until_left()
        assert server.count <= 5


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_the_hook_is_told_of_every_call(ask):
    heard = []
    with RawServer(told(), error(400, "no")) as server, client_of(server, on_call=heard.append) as client:
        answer = ask(client, QUESTION)
        ask(client, QUESTION)
        with pytest.raises(headrace.ProviderError) as caught:
            ask(client, "Another?")
    assert [one.cache for one in heard[:2]] == [None, "exact"]
    assert heard[0].cost == answer.cost
    assert [type(one) for one in heard[2:]] == [type(caught.value)]


def test_the_hook_is_told_of_each_call_of_a_map():
    heard = []
    with RawServer() as server, client_of(server, on_call=heard.append) as client:
        client.map(["a?", "b?", ""], model=MODEL, errors="return")
    assert sorted(type(one).__name__ for one in heard) == ["Response", "Response", "ValueError"]


def test_a_hook_that_raises_loses_no_answer(caplog):
    def raises(_):
        raise RuntimeError("the hook is broken")

    with RawServer() as server, client_of(server, on_call=raises) as client:
        assert client.chat(MODEL, QUESTION).text == "An answer."
    assert "the hook is broken" in caplog.text


def test_a_hook_that_cannot_be_called_is_refused():
    with RawServer() as server, pytest.raises(headrace.ConfigError, match="on_call"):
        client_of(server, on_call="print")


def test_a_client_tells_the_health_of_its_providers():
    with RawServer() as server, client_of(server) as client:
        assert client.health() == {"openai": "closed"}


@pytest.mark.parametrize("ask", [by_chat, by_stream])
@pytest.mark.parametrize("message", ["An answer.", {"content": None, "tool_calls": TOOL}, ["one", "two"]])
def test_a_response_is_a_value(ask, message):
    with RawServer(http(200, completion(message)) if ask is by_chat else told()) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        back = pickle.loads(pickle.dumps(answer))
        assert back == answer
        assert (back.text, back.cost, back.usage, back.raw) == (answer.text, answer.cost, answer.usage, answer.raw)
        told_as_dict = json.loads(json.dumps(answer.to_dict()))
        assert dict(answer) == answer.to_dict()
        assert (told_as_dict["text"], told_as_dict["model"]) == (answer.text, answer.model)
        assert str(answer.cost) == told_as_dict["cost"]
        assert "raw" not in told_as_dict


def test_a_record_is_a_value():
    with RawServer() as server, client_of(server) as client:
        client.chat(MODEL, QUESTION, tenant="acme", tags=["report"])
        [record] = client.costs.records()
        back = pickle.loads(pickle.dumps(record))
        for name in ("id", "time", "provider", "model", "tenant", "tags", "usage", "cost", "estimated", "attempts"):
            assert getattr(back, name) == getattr(record, name)
        told_as_dict = json.loads(json.dumps(record.to_dict(), default=str))
        assert (told_as_dict["tenant"], told_as_dict["tags"]) == ("acme", ["report"])
        assert pickle.loads(pickle.dumps(record.usage)) == record.usage


def test_a_hit_is_a_value():
    cache = headrace.SemanticCache()
    cache.put(QUESTION, {"text": "A task force."}, tenant="acme")
    hit = cache.get(QUESTION, tenant="acme")
    back = pickle.loads(pickle.dumps(hit))
    for name in ("response", "kind", "similarity", "prompt", "key"):
        assert getattr(back, name) == getattr(hit, name)
    assert json.loads(json.dumps(hit.to_dict()))["response"] == {"text": "A task force."}


@pytest.mark.parametrize(
    "reply",
    [
        error(429, "slow down", {"retry-after": "7", "x-request-id": "req-1"}),
        error(401, "wrong key", {"x-request-id": "req-1"}),
        error(400, "no", {"x-request-id": "req-1"}),
        error(500, "broken", {"x-request-id": "req-1"}),
    ],
)
def test_an_error_is_a_value(reply):
    with RawServer(reply) as server, client_of(server) as client, pytest.raises(headrace.ProviderError) as caught:
        client.chat(MODEL, QUESTION)
    raised, back = caught.value, pickle.loads(pickle.dumps(caught.value))
    assert (type(back), str(back), back.args) == (type(raised), str(raised), raised.args)
    for name in ("status_code", "retry_after", "request_id", "is_retryable"):
        assert getattr(back, name) == getattr(raised, name)
    assert raised.request_id == "req-1"


NEVER = """
import sys, headrace
from headrace.providers import OpenAICompatible
client = headrace.Client([OpenAICompatible(sys.argv[1], name="openai", api_key="sk-test")])
try:
    client.map([f"{n}?" for n in range(20)], model="openai/gpt-4o-mini", concurrency=4)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
def test_ctrl_c_during_a_map_does_not_wait_for_calls_in_flight():
    never = threading.Event()
    with RawServer([never]) as server:
        process = subprocess.Popen([sys.executable, "-c", NEVER, server.url], stdout=subprocess.PIPE, text=True)
        try:
            server.wait_for(4)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[0] == "interrupted\n"
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait(60)
        server.wait_until_left()
        assert server.count == 4
