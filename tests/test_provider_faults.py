"""Providers that misbehave, over raw sockets: what Python's callers are told, and what they are not."""

import contextlib
import os
import pickle
import socket
import threading

import headrace
import pytest
from headrace import providers
from headrace.providers import Anthropic, OpenAI, OpenAICompatible, Simulated, SimulatedServer

KEY = "sk-canary-7f3Kq9Zw2Lm"
TEXT = 'data: {"choices":[{"index":0,"delta":{"content":"1,204 t"}}]}\n\n'
STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
WHOLE = '{"choices":[{"index":0,"message":{"role":"assistant","content":"1,204 t"},"finish_reason":"stop"}]}'


@contextlib.contextmanager
def raw_server(*replies):
    """Answers each connection with the next reply, the last one ever after; gives its URL and what was asked."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        for number in range(10**6):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                asked.append(read_request(connection))
                connection.sendall(replies[min(number, len(replies) - 1)])
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def read_request(connection):
    data = b""
    while True:
        more = connection.recv(65536)
        data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if not more or (b"\r\n\r\n" in data and len(body) >= int(lengths[0] if lengths else 0)):
            return data.decode()


def reply(status, body, *headers):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Status", "connection: close", *headers))
    return f"{head}\r\n{body}".encode()


def client_of(url, **settings):
    return headrace.Client([OpenAICompatible(url, name="raw", api_key=KEY, **settings)], max_attempts=1)


def refusal(url, stream=False):
    with client_of(url) as client, pytest.raises(headrace.ProviderError) as caught:
        if stream:
            list(client.stream("raw/m", "What were scope 2 emissions?"))
        else:
            client.chat("raw/m", "What were scope 2 emissions?")
    return caught.value


@pytest.mark.parametrize(
    "told",
    [
        'data: {"error":{"message":"gone"}}\n\n',
        'event: error\ndata: {"error":{"message":"gone"}}\n\n',
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"gone"}}]}\n\n',
    ],
)
def test_an_error_in_a_stream_is_raised_with_the_providers_words(told):
    with raw_server(reply(200, f"{TEXT}{told}data: [DONE]\n\n")) as (url, asked):
        assert "gone" in str(refusal(url, stream=True))
        with client_of(url) as client:
            for _ in range(2):  # nothing was cached
                with pytest.raises(headrace.ProviderUnavailable, match="gone"):
                    list(client.stream("raw/m", "What were scope 2 emissions?"))
        assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"error":{"message":"long","code":"context_length_exceeded"}}', headrace.ContextLengthExceeded),
        (413, "too large", headrace.ContextLengthExceeded),
        (429, '{"error":{"message":"slow down"}}', headrace.RateLimited),
        (429, '{"error":{"message":"pay","code":"insufficient_quota"}}', headrace.RateLimited),
        (401, "{}", headrace.AuthenticationError),
        (529, "{}", headrace.ProviderUnavailable),
        (200, '{"error":{"message":"loading"}}', headrace.ProviderUnavailable),
    ],
)
def test_a_refusal_is_raised_as_its_kind(status, body, kind):
    with raw_server(reply(status, body)) as (url, _):
        error = refusal(url)
    assert type(error) is kind
    assert error.is_retryable == (status in (200, 529) or "slow" in body)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.status_code) == (kind, str(error), error.status_code)


def test_no_redirect_is_followed():
    with (
        raw_server(reply(200, WHOLE)) as (elsewhere, asked),
        raw_server(reply(307, "", f"location: {elsewhere}/chat?key={KEY}")) as (url, _),
    ):
        error = refusal(url)
        assert not asked
    assert elsewhere in str(error)
    assert "base_url" in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("stream", [False, True])
def test_the_key_is_in_no_error(status, stream):
    body = f'{TEXT if stream else ""}data: {{"{KEY}\n\n'
    with raw_server(reply(status, body, f"x-request-id: {KEY}")) as (url, _):
        error = refusal(url, stream)
    shown = f"{error!r} {error} {error.request_id} {vars(error)}"
    assert "canary" not in shown
    assert "canary" not in str(pickle.dumps(error))


def test_headers_organization_and_project_are_sent_and_not_shown():
    with raw_server(reply(200, WHOLE)) as (url, asked):
        openai = OpenAI(KEY, base_url=url, organization="org_1", project="proj_1", headers={"x-team": "esg-team-4711"})
        with headrace.Client([openai]) as client:
            assert client.chat("openai/gpt-4o", "What were scope 2 emissions?").text == "1,204 t"
    for line in (
        f"authorization: Bearer {KEY}",
        "openai-organization: org_1",
        "openai-project: proj_1",
        "x-team: esg-team-4711",
    ):
        assert line in asked[0]
    assert "canary" not in repr(openai)
    assert "4711" not in repr(openai)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OpenAI("sk-canary\nsk-canary"),
        lambda: OpenAI(KEY, headers={"x-token": "canary\r\nx-other: 1"}),
        lambda: OpenAI(KEY, base_url="https://user:canary@host/v1"),
        lambda: OpenAI(KEY, base_url="https://host/v1?key=canary"),
        lambda: OpenAICompatible("canary@host", name="a"),
        lambda: OpenAICompatible("https://host", name="a/b"),
        lambda: OpenAI(""),
        lambda: Anthropic(" "),
        lambda: providers.named("nobody"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(make):
    with pytest.raises(headrace.ConfigError) as caught:
        make()
    assert "canary" not in str(caught.value)


def test_anthropic_is_asked_in_its_own_protocol():
    with SimulatedServer(api_keys=[KEY], time_to_first_token=0, tokens_per_second=0) as server:
        with headrace.Client([Anthropic(KEY, base_url=server.url)], cache=None) as client:
            reply = client.chat("anthropic/echo", "Which scope is travel?", max_tokens=50)
            assert reply.text == "Which scope is travel?"
            assert reply.usage.input_tokens > 0
            assert (
                "".join(chunk.text or "" for chunk in client.stream("anthropic/echo", "Which scope is travel?"))
                == "Which scope is travel?"
            )
        with (
            headrace.Client([Anthropic("wrong", base_url=server.url)]) as client,
            pytest.raises(headrace.AuthenticationError),
        ):
            client.chat("anthropic/echo", "Which scope is travel?")


def test_the_environment_names_the_providers_and_the_simulated_one_is_always_there(monkeypatch):
    for row in providers.known():
        for variable in row.key_variables:
            monkeypatch.delenv(variable, raising=False)
    assert [provider.name for provider in providers.from_environment()] == ["simulated"]
    for row in providers.known():
        for variable in row.key_variables:
            with monkeypatch.context() as context:
                context.setenv(variable, KEY)
                if not row.base_url:
                    context.setenv("AZURE_OPENAI_ENDPOINT", "https://acme.openai.azure.com")
                assert [provider.name for provider in providers.from_environment()] == [row.name, "simulated"]
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    client = headrace.Client()
    assert client.chat("simulated/echo", "Which scope is travel?").text == "Which scope is travel?"
    assert "nothing is real" not in repr(client)


def test_one_provider_is_enough():
    with headrace.Client(Simulated(time_to_first_token=0, tokens_per_second=0)) as client:
        assert client.chat("simulated/echo", "Which scope is travel?").text == "Which scope is travel?"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_provider_that_was_used_works_in_a_forked_child():
    with (
        SimulatedServer(time_to_first_token=0, tokens_per_second=0) as server,
        headrace.Client([OpenAICompatible(server.url, name="sim")], cache=None) as client,
    ):
        assert client.chat("sim/echo", "before?").text == "before?"
        child = os.fork()
        if child == 0:
            ok = False
            with contextlib.suppress(BaseException):
                ok = client.chat("sim/echo", "in the child?", timeout=60).text == "in the child?"
            os._exit(0 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.chat("sim/echo", "after?").text == "after?"
