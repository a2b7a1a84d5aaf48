"""The endpoint against callers who are hostile, slow or gone, over bare sockets."""

import json
import socket
import threading

import headrace
import pytest
from endpoint_ways import simulated
from raw_server import CLOSE, DONE, RawServer, chunk, client_of, eventually, http, sse, streamed, told

CANARY = "sk-canary-73f1"
BODY = json.dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "a?"}]}).encode()


def connected(server):
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 60)


def request(path="/v1/chat/completions", body=BODY, method="POST", host="127.0.0.1", length=None, **headers):
    length = len(body) if length is None else length
    rows = {"host": host, "content-length": length, "content-type": "application/json"} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in rows.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answered(one):
    """All that comes until the other side is silent at the end of a body, or closes."""
    with one, one.makefile("rb") as incoming:
        status = incoming.readline().decode()
        length = None
        while row := incoming.readline().decode().strip():
            if row.lower().startswith("content-length:"):
                length = int(row.partition(":")[2])
        return int(status.split()[1]) if status else None, incoming.read(length) if length else b""


def said(server, data):
    one = connected(server)
    one.sendall(data)
    return answered(one)


def test_who_leaves_cancels_his_call():
    with RawServer([threading.Event()]) as provider, client_of(provider) as client, headrace.Server(client) as server:
        one = connected(server)
        one.sendall(request())
        provider.wait_for(1)
        assert len(client.queue) == 1
        one.close()
        provider.wait_until_left()
        eventually(lambda: len(client.queue) == 0)
        # What was sent is booked, and nothing is held any more.
        eventually(lambda: client.costs.total > 0)


def test_who_leaves_a_stream_cancels_it():
    first = sse(chunk({"content": "Scope 2"}))
    held = streamed(first, threading.Event(), sse(DONE))
    with RawServer(held) as provider, client_of(provider) as client, headrace.Server(client) as server:
        one = connected(server)
        one.sendall(request(body=BODY[:-1] + b', "stream": true}'))
        assert b"Scope 2" in until(one, b"Scope 2")
        one.close()
        provider.wait_until_left()
        eventually(lambda: len(client.queue) == 0)


def until(one, words):
    text = b""
    while words not in text:
        piece = one.recv(4096)
        assert piece
        text += piece
    return text


def test_many_who_leave_leak_nothing():
    with RawServer([threading.Event()]) as provider, client_of(provider) as client, headrace.Server(client) as server:
        client.costs.set_budget("100")
        for n in range(100):
            one = connected(server)
            one.sendall(request(body=BODY.replace(b"a?", b"%d?" % n)))
            if n % 3:
                provider.wait_for(n // 3)
            one.close()
        eventually(lambda: len(client.queue) == 0)
        provider.wait_until_left()
        eventually(lambda: client.costs.budgets()[0]["reserved"] == 0)


def test_a_request_is_bounded_in_size():
    with simulated() as client, headrace.Server(client, max_body_bytes=1000) as server:
        status, body = said(server, request(body=b" " * 1001))
        assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")
        assert said(server, request(x_filler="x" * 70_000))[0] == 431
        assert said(server, request(**{f"x_{n}": "y" for n in range(200)}))[0] == 431


def test_a_request_is_bounded_in_time():
    with simulated() as client, headrace.Server(client, header_timeout=0.2, body_timeout=0.2) as server:
        status, body = said(server, request(length=len(BODY) + 1))
        assert (status, json.loads(body)["error"]["code"]) == (408, "body_timeout")
        # Half a head: the connection is closed.
        assert said(server, b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127")[0] in (None, 408)


def test_connections_are_bounded_and_the_next_is_served_when_one_ends():
    with simulated() as client, headrace.Server(client, max_connections=1) as server:
        first, second = connected(server), connected(server)
        first.sendall(request("/healthz", b"", "GET"))
        until(first, b"ok")
        second.sendall(request("/healthz", b"", "GET"))
        second.settimeout(0.2)
        with pytest.raises(TimeoutError):
            second.recv(1)
        first.close()
        second.settimeout(60)
        assert b"ok" in until(second, b"ok")
        second.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_what_a_web_page_makes_a_browser_send_is_refused(headers):
    with simulated() as client, headrace.Server(client) as server:
        status, body = said(server, request(**headers))
        assert (status, json.loads(body)["error"]["code"]) == (403, "not_local")


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", request(content_length="12x"), b"\r\n" * 100],
)
def test_what_is_no_http_does_no_harm(data):
    with simulated() as client, headrace.Server(client, header_timeout=1) as server:
        assert said(server, data)[0] in (None, 400, 505)
        assert said(server, request("/healthz", b"", "GET"))[0] == 200


@pytest.mark.parametrize(
    "reply",
    [
        http(401, {"error": {"message": f"Incorrect API key provided: {CANARY}"}}),
        http(500, {"error": {"message": f"Bearer {CANARY}"}}),
        told(),
        [CLOSE],
    ],
)
def test_a_key_of_the_providers_is_told_to_nobody(reply, caplog):
    with RawServer(reply) as provider:
        made = headrace.providers.OpenAICompatible(provider.url, name="openai", api_key=CANARY)
        with headrace.Client([made], max_attempts=1) as client, headrace.Server(client) as server:
            for path in ("/v1/chat/completions", "/v1/messages"):
                one = connected(server)
                one.sendall(request(path, connection="close"))
                with one, one.makefile("rb") as incoming:
                    assert CANARY.encode() not in incoming.read()
            for path in ("/v1/models", "/v1/headrace/costs", "/v1/headrace/queue", "/v1/headrace/cache", "/metrics"):
                status, body = said(server, request(path, b"", "GET"))
                assert status == 200 and CANARY.encode() not in body
            assert CANARY not in repr(server) + repr(client) + caplog.text
        assert provider.requests[0].headers["authorization"] == f"Bearer {CANARY}"


def test_the_address_of_a_provider_is_never_taken_from_a_request():
    with (
        RawServer() as provider,
        client_of(provider) as client,
        RawServer() as other,
        headrace.Server(client) as server,
    ):
        body = json.loads(BODY) | {"base_url": other.url, "api_base": other.url, "endpoint": other.url}
        said(server, request(body=json.dumps(body).encode(), x_base_url=other.url, x_upstream=other.url))
        said(server, b"POST " + other.url.encode() + request()[5:].partition(b" ")[2].join([b" ", b""]))
        assert provider.count >= 1
        assert other.count == 0
