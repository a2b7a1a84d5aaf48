"""The scripted provider is read by a client that nobody here wrote: what fails on it later is not its own fault."""

import contextlib
import http.client
import json
import threading

import pytest
from raw_server import (
    CLOSE,
    DONE,
    RawServer,
    by_way,
    chunk,
    completion,
    embeddings,
    error,
    sse,
    streamed,
    told,
    whole,
)


def ask(connection, **body):
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    return connection.getresponse()


@pytest.fixture
def served():
    with contextlib.ExitStack() as opened:

        def serve(*replies):
            server = opened.enter_context(RawServer(*replies))
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            opened.callback(connection.close)
            return server, connection

        yield serve


def test_replies_come_in_their_order_over_one_connection(served):
    server, connection = served(whole("one"), error(429, "slow", {"retry-after": "1"}), told("last"))
    assert json.load(ask(connection, n=1)) == completion("one")
    refused = ask(connection, n=2)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert json.load(refused) == {"error": {"message": "slow"}}
    for _ in range(2):
        assert json.load(ask(connection, n=3))["choices"][0]["message"]["content"] == "last"
    assert [request.json["n"] for request in server.requests] == [1, 2, 3, 3]
    assert server.requests[0].line == "POST /v1/chat/completions HTTP/1.1"
    assert (server.count, server.connections) == (4, 1)


def test_a_stream_waits_for_its_event(served):
    hold = threading.Event()
    first, second = sse(chunk({"content": "a"})), sse(chunk({}, "stop"), DONE)
    _, connection = served(streamed(first, hold, second))
    reply = ask(connection, stream=True)
    assert reply.read(len(first)) == first
    hold.set()
    assert reply.read() == second


def test_a_reply_breaks_off_where_it_is_told_to(served):
    server, connection = served(streamed(b"half", end=False), [whole()[0][:100], CLOSE])
    with pytest.raises(http.client.IncompleteRead):
        ask(connection).read()
    connection.close()
    with pytest.raises(http.client.HTTPException):
        ask(connection).read()
    connection.close()
    server.wait_until_left()


def test_who_leaves_while_it_waits_is_noticed(served):
    server, connection = served([threading.Event()])
    connection.request("POST", "/v1/chat/completions", "{}")
    server.wait_for(1)
    connection.close()
    server.wait_until_left()


def test_the_official_sdk_reads_it():
    openai = pytest.importorskip("openai")
    messages = [{"role": "user", "content": "What?"}]
    reply = by_way(told("Streamed.")(type("", (), {"json": {"stream": True}})), whole("Whole."))
    with RawServer(reply) as server, openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as sdk:
        create = sdk.chat.completions.create
        assert create(model="m", messages=messages).choices[0].message.content == "Whole."
        with create(model="m", messages=messages, stream=True) as chunks:
            parts = list(chunks)
        assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "Streamed."
        assert parts[-1].usage.completion_tokens == 5
        server.then(embeddings(2))
        assert len(sdk.embeddings.create(model="m", input=["a", "b"], encoding_format="float").data) == 2
