"""Turns on the line: limits count what a provider is asked, whoever leaves gives his place back, fallbacks step in."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import headrace
import pytest
from raw_server import (
    BY_STREAM,
    EVERY_WAY,
    MODEL,
    RawServer,
    chunk,
    client_of,
    embeddings,
    error,
    http,
    provider_of,
    sse,
    streamed,
    told,
)

QUESTION = "Which suppliers report to CDP?"
ONE_AT_A_TIME = {"concurrency": 1}
FAILS = error(503, "busy", {"retry-after": "0"})
HALF = sse(chunk({"content": "Scope 2 "}))


@pytest.mark.parametrize("way", ["achat", "astream"])
def test_retries_count_against_the_limit(way):
    async def main(client, server):
        call = asyncio.ensure_future(getattr(client, way)(MODEL, QUESTION))
        await asyncio.to_thread(server.wait_for, 3)
        await asyncio.wait({call}, timeout=1)
        assert not call.done()
        call.cancel()
        await asyncio.wait({call})

    with RawServer(FAILS) as server, client_of(server, limits={"requests_per_minute": 3}, max_attempts=8) as client:
        asyncio.run(main(client, server))
        assert server.count == 3


def test_fallbacks_count_against_the_limit_of_their_provider():
    with RawServer(error(500)) as one, RawServer() as other:
        providers = [provider_of(one, name="a"), provider_of(other, name="b")]
        limits = {"provider": {"b": {"requests_per_minute": 2}}}
        with headrace.Client(providers, fallbacks={"a/m": ["b/m"]}, limits=limits, max_attempts=1) as client:
            for n in range(2):
                assert client.chat("a/m", f"{QUESTION} {n}").provider == "b"
            with pytest.raises((headrace.Timeout, headrace.ProviderError)):
                client.chat("a/m", QUESTION, timeout=1)
        assert other.count == 2


def test_embeddings_count_against_the_limit():
    with RawServer(embeddings()) as server, client_of(server, limits={"requests_per_minute": 3}) as client:
        for n in range(3):
            client.embed("openai/text-embedding-3-small", [f"text {n}"])
        with pytest.raises(headrace.Timeout):
            client.embed("openai/text-embedding-3-small", ["one more"], timeout=1)
        assert server.count == 3


def test_a_pause_before_a_retry_gives_its_place_to_others():
    async def main(client, server):
        pauses = asyncio.ensure_future(client.achat(MODEL, "Who pauses?"))
        await asyncio.to_thread(server.wait_for, 1)
        assert (await client.achat(MODEL, QUESTION, timeout=20)).attempts == 1
        assert not pauses.done()
        pauses.cancel()
        await asyncio.wait({pauses})

    with RawServer(error(503, "busy", {"retry-after": "28"}), told()) as server:
        with client_of(server, limits=ONE_AT_A_TIME, max_attempts=3) as client:
            asyncio.run(main(client, server))
        assert server.count == 2


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_eight_equal_calls_at_once_are_one_request(ask):
    hold = threading.Event()

    def reply(request):
        first, *rest = told()(request)
        return [first, hold, *rest] if request.json.get("stream") else [hold, first]

    with RawServer(reply) as server, client_of(server) as client, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ask, client, QUESTION) for _ in range(8)]
        server.wait_for(1)
        hold.set()
        answers = [call.result(100) for call in calls]
        assert {answer.text for answer in answers} == {"An answer."}
        assert server.count == 1
        assert sorted(answer.cache or "" for answer in answers) == ["", *["exact"] * 7]
        assert client.costs.total == sum(answer.cost for answer in answers)


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_attempts_count_every_request_of_the_call(ask):
    with RawServer(FAILS, FAILS, told()) as server, client_of(server, max_attempts=3) as client:
        answer = ask(client, QUESTION)
        assert (answer.attempts, server.count) == (3, 3)
        assert [one.attempts for one in client.costs.records() if one.cost] == [3]
        assert client.chat(MODEL, QUESTION).attempts == 0


def two_models(small, big):
    """Two providers, `small` with `big` to fall back on."""
    providers = [provider_of(small, name="small"), provider_of(big, name="big")]
    return headrace.Client(providers, fallbacks={"small/m": ["big/m"]}, max_attempts=2)


@pytest.mark.parametrize("way", ["chat", "stream"])
def test_attempts_count_over_retries_and_fallback(way):
    with RawServer(FAILS) as small, RawServer(FAILS, told()) as big, two_models(small, big) as client:
        answer = client.chat("small/m", QUESTION) if way == "chat" else streamed_by(client)
        assert (answer.attempts, answer.model) == (4, "big/m")
        assert (small.count, big.count) == (2, 2)


def streamed_by(client):
    stream = client.stream("small/m", QUESTION)
    for _ in stream:
        pass
    return stream.response


TOO_LONG = {
    "error": {"message": "This model's maximum context length is 4096 tokens.", "code": "context_length_exceeded"}
}


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(400, TOO_LONG), (404, "no such model"), (413, "too large"), (422, "not for this model")],
)
def test_what_one_model_refuses_the_next_is_asked(status, body, way):
    refusal = error(status, body, {"retry-after": "0"})
    with RawServer(refusal) as small, RawServer() as big, two_models(small, big) as client:
        answer = client.chat("small/m", QUESTION) if way == "chat" else streamed_by(client)
        assert (answer.text, answer.provider, big.count) == ("An answer.", "big", 1)


def test_a_context_that_is_too_long_for_all_has_its_own_error():
    with RawServer(error(400, TOO_LONG)) as small, RawServer(error(400, TOO_LONG)) as big:
        with two_models(small, big) as client, pytest.raises(headrace.ContextLengthExceeded) as caught:
            client.chat("small/m", QUESTION)
        assert isinstance(caught.value, headrace.ProviderError)
        assert (caught.value.status_code, caught.value.is_retryable, small.count, big.count) == (400, False, 1, 1)


@pytest.mark.parametrize(
    "fallbacks",
    [
        {"a/m": "b/m"},
        {"a/m": ["nobody/m"]},
        {"nobody/m": ["a/m"]},
        {"a/m": ["m"]},
        {"a/m": [3]},
        ["a/m"],
        {"a/m": None},
    ],
)
def test_fallbacks_of_the_wrong_form_are_refused_at_once(fallbacks):
    with RawServer() as server, pytest.raises(headrace.ConfigError, match="fallbacks"):
        headrace.Client([provider_of(server, name="a"), provider_of(server, name="b")], fallbacks=fallbacks)


def test_ten_callers_that_leave_do_not_make_a_provider_ill():
    never = threading.Event()
    with RawServer([never]) as server, client_of(server) as client:
        for n in range(10):
            with pytest.raises(headrace.Timeout):
                client.chat(MODEL, f"{QUESTION} {n}", timeout=0.2)
        server.then(told())
        assert client.chat(MODEL, QUESTION).text == "An answer."
        assert client.health() == {"openai": "closed"}


def test_a_provider_that_fails_is_left_alone():
    with RawServer(error(500)) as server, client_of(server) as client:
        for n in range(8):
            with pytest.raises(headrace.ProviderError):
                client.chat(MODEL, f"{QUESTION} {n}")
        assert client.health() == {"openai": "open"}


@pytest.mark.parametrize("limits", [None, ONE_AT_A_TIME])
def test_a_chat_out_of_time_raises_timeout_and_leaves_nothing(limits):
    never = threading.Event()
    with RawServer([never]) as server, client_of(server, limits=limits) as client:
        with ThreadPoolExecutor(12) as pool:
            calls = [pool.submit(client.chat, MODEL, f"{QUESTION} {n}", timeout=0.05 + n / 50) for n in range(24)]
            raised = [type(call.exception(100)) for call in calls]
        assert raised == [headrace.Timeout] * 24
        assert client.queue.dead() == []
        assert len(client.queue) == 0
        server.wait_until_left()


@pytest.mark.parametrize("ask", BY_STREAM)
def test_the_time_of_a_stream_is_for_all_of_it(ask):
    never = threading.Event()
    with RawServer(streamed(HALF, never)) as server, client_of(server, limits=ONE_AT_A_TIME) as client:
        with pytest.raises(headrace.Timeout):
            ask(client, QUESTION, timeout=0.5)
        server.wait_until_left()
        assert [one.estimated for one in client.costs.records()] == [True]
        server.then(told())
        assert client.chat(MODEL, QUESTION).cache is None


@pytest.mark.parametrize("leave", ["break", "close", "with"])
def test_a_stream_that_is_left_gives_its_place_back_and_is_booked(leave):
    never = threading.Event()
    with RawServer(streamed(HALF, never), told()) as server, client_of(server, limits=ONE_AT_A_TIME) as client:
        if leave == "with":
            with client.stream(MODEL, QUESTION) as stream:
                assert next(stream).text == "Scope 2 "
        else:
            stream = client.stream(MODEL, QUESTION)
            for part in stream:
                assert part.text == "Scope 2 "
                break
            if leave == "close":
                stream.close()
            else:
                del stream, part
                gc.collect()
        assert client.chat(MODEL, "Who is next?", timeout=60).text == "An answer."
        booked = [one for one in client.costs.records() if one.estimated]
        assert [one.usage.output_tokens > 0 for one in booked] == [True]
        assert client.chat(MODEL, QUESTION, timeout=60).cache is None


@pytest.mark.parametrize("way", ["achat", "astream", "aembed"])
def test_a_cancelled_call_gives_its_place_back(way):
    never = threading.Event()

    async def main(client, server):
        call = {
            "achat": lambda: client.achat(MODEL, QUESTION),
            "astream": lambda: client.astream(MODEL, QUESTION),
            "aembed": lambda: client.aembed("openai/text-embedding-3-small", ["scope 1"]),
        }[way]
        task = asyncio.ensure_future(call())
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.then(told())
        return await client.achat(MODEL, QUESTION, timeout=60)

    with RawServer([never]) as server, client_of(server, limits=ONE_AT_A_TIME) as client:
        assert asyncio.run(main(client, server)).text == "An answer."
        assert client.health() == {"openai": "closed"}


@pytest.mark.parametrize("indexes", [[0, 0, 1], [0, 1], [0, 1, 3], [0, 1, 2, 3]])
def test_vectors_that_are_not_one_a_text_are_refused(indexes):
    rows = [{"index": n, "embedding": [1.0, float(n)]} for n in indexes]
    body = {"data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    with RawServer(http(200, body)) as server, pytest.raises((headrace.ProviderError, headrace.EmbeddingError)):
        client_of(server).embed("openai/text-embedding-3-small", ["a", "b", "c"])


def test_vectors_in_another_order_are_put_in_theirs():
    rows = [{"index": n, "embedding": [float(n + 1)]} for n in (2, 0, 1)]
    with RawServer(http(200, {"data": rows})) as server, client_of(server) as client:
        assert client.embed("openai/text-embedding-3-small", ["a", "b", "c"])[:, 0].tolist() == [1, 2, 3]
