"""A key is in no message, repr, log, pickle or file, whatever a server does with it; a prompt goes to one server only."""

import base64
import json
import logging
import pickle
import traceback
import urllib.parse

import headrace
import pytest
from headrace.providers import OpenAI, OpenAICompatible
from raw_server import (
    DONE,
    EVERY_WAY,
    MODEL,
    RawServer,
    by_chat,
    by_stream,
    chunk,
    error,
    http,
    sse,
    streamed,
    told,
)

KEY = "sk-canary-4f9a1c77e2b8"
ODD_KEY = "sk-canary/4f9a'1c77+e2b8="
QUESTION = "What is the EU Taxonomy?"
HALF = chunk({"content": "A classification"})


def forms(key):
    """The ways in which a key may be written."""
    quoted = json.dumps(key)[1:-1]
    return {
        key,
        quoted,
        quoted.replace("/", "\\/"),
        "".join(f"\\u{ord(c):04x}" for c in key),
        urllib.parse.quote(key, safe=""),
        base64.b64encode(key.encode()).decode(),
        key.encode().hex(),
    }


def shown(*things, caplog=None):
    """All that a person, a log or a pickle sees of them."""
    seen = []
    for thing in things:
        seen += [str(thing), repr(thing), f"{getattr(thing, '__dict__', '')}"]
        if isinstance(thing, BaseException):
            seen += traceback.format_exception(thing)
            seen.append(repr(pickle.dumps(thing)))
    if caplog is not None:
        seen += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    return "\n".join(seen)


def assert_hidden(text, key=KEY):
    for form in forms(key):
        assert form not in text
        assert form[3:] not in text  # without its "sk-"


ECHOES = {
    "in the words of an error": lambda key: error(400, f"Incorrect API key provided: {key}"),
    "in an error of a server": lambda key: error(500, f"Bearer {key}"),
    "in an unreadable error": lambda key: http(500, f"<p>Authorization: Bearer {key}</p>".encode(), kind="text/html"),
    "in x-request-id": lambda key: error(400, "no", {"x-request-id": key}),
    "in an unreadable body": lambda key: http(200, f'{{"choices": "{key}'.encode()),
    "in a body of another shape": lambda key: http(200, {"choices": [{"message": key}]}),
    "as the finish_reason": lambda key: http(
        200,
        {
            "choices": [{"message": {"content": "a"}, "finish_reason": "error"}],
            "error": {"code": key, "type": key, "message": key},
        },
    ),
    "in the type of the content": lambda key: http(200, b"welcome", kind=f"text/{key}"),
    "escaped as JSON": lambda key: http(
        400, ('{"error": {"message": "key ' + "".join(f"\\u{ord(c):04x}" for c in key) + '"}}').encode()
    ),
    "escaped slashes": lambda key: http(
        400, ('{"error": {"message": "key ' + json.dumps(key)[1:-1].replace("/", "\\/") + '"}}').encode()
    ),
    "JSON in JSON": lambda key: error(400, json.dumps({"headers": json.dumps({"authorization": f"Bearer {key}"})})),
    "as base64": lambda key: error(400, base64.b64encode(key.encode()).decode()),
    "in a malformed event": lambda key: streamed(sse(HALF, f'{{"choices": [{key}', DONE)),
    "in an error of the stream": lambda key: streamed(
        sse(HALF, {"error": {"message": f"key {key}", "code": key}}, DONE)
    ),
    "in the name of an event": lambda key: streamed(sse(HALF, f"event: {key}\ndata: {{{key}\n\n".encode(), DONE)),
}


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
@pytest.mark.parametrize("ask", [by_chat, by_stream])
@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_that_the_server_says_again_is_not_said(echo, ask, key, caplog):
    caplog.set_level(logging.DEBUG)
    with RawServer(ECHOES[echo](key)) as server:
        provider = OpenAICompatible(server.url, name="openai", api_key=key)
        with headrace.Client([provider], max_attempts=1) as client:
            with pytest.raises(headrace.ProviderError) as caught:
                ask(client, QUESTION)
            assert server.requests[0].headers["authorization"] == f"Bearer {key}"
            assert_hidden(shown(caught.value, provider, client, caplog=caplog), key)
            assert_hidden(str(caught.value.request_id), key)
            assert_hidden(repr(client.costs.records()), key)


def test_a_secret_header_is_not_said_either(caplog):
    caplog.set_level(logging.DEBUG)
    with RawServer(error(400, f"x-team-token: {KEY}", {"x-request-id": KEY})) as server:
        provider = OpenAICompatible(server.url, name="openai", api_key="sk-test", headers={"x-team-token": KEY})
        with headrace.Client([provider]) as client, pytest.raises(headrace.ProviderError) as caught:
            client.chat(MODEL, QUESTION)
        assert server.requests[0].headers["x-team-token"] == KEY
        assert_hidden(shown(caught.value, provider, caplog=caplog))


ADDRESSES = {
    "as a password": "http://user:{key}@127.0.0.1:{port}/v1",
    "as a user": "http://{key}@127.0.0.1:{port}/v1",
    "as a parameter": "http://127.0.0.1:{port}/v1?api-key={key}",
    "as a fragment": "http://127.0.0.1:{port}/v1#{key}",
    "in what is no URL": "htp:/user:{key}@127.0.0.1:{port}",
    "in the path": "http://127.0.0.1:{port}/{key}/v1",
}


@pytest.mark.parametrize("api_key", [KEY, None])
@pytest.mark.parametrize("place", ADDRESSES)
def test_a_key_in_the_address_is_not_said(place, api_key, caplog):
    caplog.set_level(logging.DEBUG)
    if place == "in the path" and api_key is None:
        pytest.skip("nothing tells that a part of a path is secret")
    with RawServer() as server:
        port = server.port
    things = []
    try:
        things.append(OpenAICompatible(ADDRESSES[place].format(key=KEY, port=port), name="openai", api_key=api_key))
        with headrace.Client(things, max_attempts=1) as client:
            client.chat(MODEL, QUESTION)
    except headrace.HeadraceError as raised:
        things.append(raised)
    assert isinstance(things[-1], headrace.HeadraceError)  # the server is gone
    assert_hidden(shown(*things, caplog=caplog))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_prompt_does_not_follow_to_another_server(status, ask, caplog):
    caplog.set_level(logging.DEBUG)
    with RawServer() as other, RawServer() as server:
        server.then(http(status, b"", {"location": f"{other.url}/chat/completions?key={KEY}"}))
        provider = OpenAICompatible(server.url, name="openai", api_key=KEY)
        with headrace.Client([provider], max_attempts=1) as client, pytest.raises(headrace.ProviderError) as caught:
            ask(client, QUESTION)
        assert (server.count, other.count) == (1, 0)
        assert caught.value.status_code == status
        assert_hidden(shown(caught.value, caplog=caplog))


@pytest.mark.parametrize(
    "key", ["sk-canary-4f9a\n1c77e2b8", "sk-canary-4f9a\r\n1c77e2b8", "sk-canary-4f9a\x001c77e2b8"]
)
def test_a_key_that_no_header_can_hold_is_told_as_that(key):
    with pytest.raises(headrace.ConfigError, match="key") as caught:
        OpenAICompatible("http://127.0.0.1:9/v1", api_key=key)
    seen = shown(caught.value)
    assert "4f9a" not in seen
    assert "1c77" not in seen


def test_a_key_of_the_environment_with_a_line_break_is_told_as_that(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-4f9a\n1c77e2b8")
    with pytest.raises(headrace.ConfigError, match="key") as caught:
        OpenAI()
    assert "4f9a" not in shown(caught.value)


def test_a_provider_is_not_pickled_and_shows_no_key():
    provider = OpenAICompatible("http://127.0.0.1:9/v1", name="openai", api_key=KEY, headers={"x-team-token": KEY})
    with pytest.raises(TypeError) as caught:
        pickle.dumps(provider)
    assert_hidden(shown(provider, caught.value))
    assert_hidden(repr({name: getattr(provider, name) for name in dir(provider) if not name.startswith("__")}))


def test_no_file_holds_a_key(tmp_path):
    with RawServer(told(), error(500, f"Bearer {KEY}")) as server:
        provider = OpenAICompatible(server.url, name="openai", api_key=KEY, headers={"x-team-token": KEY})
        queue = headrace.RequestQueue(f"sqlite:///{tmp_path}/queue.db")
        costs = headrace.CostTracker(url=f"sqlite:///{tmp_path}/costs.db")
        cache = headrace.SemanticCache(url=f"sqlite:///{tmp_path}/cache.db")
        with headrace.Client([provider], queue=queue, costs=costs, cache=cache, max_attempts=1) as client:
            response = client.chat(MODEL, QUESTION)
            with pytest.raises(headrace.ProviderError):
                client.chat(MODEL, "And another?")
        queue.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert QUESTION.encode() in written
    assert KEY.encode() not in written
    assert KEY.encode() not in pickle.dumps(response)
