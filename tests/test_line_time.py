"""Time on the line: how long a provider may take, what the deadline bounds, how often it is asked again."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import formatdate

import headrace
import pytest
from raw_server import (
    MODEL,
    RawServer,
    by_chat,
    by_stream,
    chunk,
    client_of,
    error,
    eventually,
    provider_of,
    sse,
    streamed,
    told,
)

QUESTION = "What is double materiality?"
FIRST = sse(chunk({"content": "An "}))


@pytest.mark.parametrize("reply", [lambda never: [never], lambda never: streamed(never, FIRST)])
def test_a_first_word_that_does_not_come_is_a_failure_of_the_provider(reply):
    never = threading.Event()
    with RawServer(reply(never)) as server:
        client = headrace.Client([provider_of(server, first_token_timeout=0.2)], max_attempts=1)
        with pytest.raises(headrace.ProviderUnavailable, match="first_token_timeout"):
            client.stream(MODEL, QUESTION)
        server.wait_until_left()
        assert len(client.queue) == 0


def test_the_time_to_the_first_word_bounds_nothing_else():
    go_on = threading.Event()
    rest = sse(chunk({"content": "answer."}, "stop"), "[DONE]")
    with RawServer(streamed(FIRST, go_on, rest)) as server:
        client = headrace.Client([provider_of(server, first_token_timeout=timedelta(seconds=2))], max_attempts=1)
        stream = client.stream(MODEL, QUESTION)
        assert next(stream).text == "An "
        threading.Timer(2.5, go_on.set).start()
        assert "".join(one.text for one in stream) == "answer."


@pytest.mark.parametrize("way", [by_chat, by_stream])
def test_all_of_a_reply_has_its_time(way):
    never = threading.Event()
    reply = streamed(FIRST, never) if way is by_stream else [never]
    with RawServer(reply) as server:
        client = headrace.Client([provider_of(server, total_timeout=0.3)], max_attempts=1)
        with pytest.raises(headrace.ProviderUnavailable, match="total_timeout"):
            way(client, QUESTION)
        server.wait_until_left()
        assert len(client.queue) == 0
        # What came of the answer was paid for.
        assert len(client.costs.records()) == (1 if way is by_stream else 0)


@pytest.mark.parametrize("name", ["first_token_timeout", "total_timeout"])
def test_no_time_at_all_is_refused(name):
    with pytest.raises(ValueError, match=name):
        headrace.providers.OpenAICompatible("http://127.0.0.1:9/v1", **{name: -1})


@pytest.mark.parametrize("until", [lambda: "30", lambda: formatdate(time.time() + 60, usegmt=True)], ids=["s", "date"])
def test_a_pause_beyond_the_deadline_is_not_waited_for(until):
    with (
        RawServer(lambda _: error(429, "slow down", {"retry-after": until()})) as server,
        client_of(server, max_attempts=3) as client,
    ):
        with pytest.raises(headrace.RateLimited) as caught:
            client.chat(MODEL, QUESTION, timeout=10)
        assert caught.value.retry_after > 20
        assert server.count == 1


@pytest.mark.parametrize("headers", [{"retry-after": "0"}, {"retry-after": formatdate(0, usegmt=True)}])
def test_a_pause_that_the_provider_asks_for_is_what_is_waited(headers):
    with RawServer(error(429, "slow down", headers), told()) as server, client_of(server, max_attempts=3) as client:
        assert client.chat(MODEL, QUESTION, timeout=60).attempts == 2


def test_a_full_outage_is_asked_a_tenth_more_at_the_most():
    calls = 300
    refused = error(429, "busy", {"retry-after": "0"})
    with RawServer(refused) as server, client_of(server, max_attempts=5) as client, ThreadPoolExecutor(8) as pool:

        def ask(number):
            with pytest.raises(headrace.RateLimited):
                client.chat(MODEL, f"{number}?")

        list(pool.map(ask, range(calls)))
        assert calls < server.count <= calls * 1.1


def test_the_share_of_retries_can_be_set():
    refused = error(429, "busy", {"retry-after": "0"})
    with RawServer(refused) as server, client_of(server, max_attempts=3, max_retry_share=1.0) as client:
        for number in range(20):
            with pytest.raises(headrace.RateLimited):
                client.chat(MODEL, f"{number}?")
        assert server.count > 35
    for share in (-0.1, 2, "all", None):
        with RawServer() as server, pytest.raises(headrace.ConfigError, match="max_retry_share"):
            client_of(server, max_retry_share=share)


def test_a_stream_is_not_asked_again_after_its_first_word():
    broken = streamed(FIRST, end=False)
    with RawServer(broken, told()) as server, client_of(server, max_attempts=3) as client:
        with pytest.raises(headrace.ProviderUnavailable):
            by_stream(client, QUESTION)
        assert server.count == 1
        eventually(lambda: len(client.queue) == 0)
