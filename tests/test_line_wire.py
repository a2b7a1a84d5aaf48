"""The wire is read as generously as it can be without guessing, and never without a bound."""

import gzip
import json

import headrace
import pytest
from raw_server import (
    BY_STREAM,
    DONE,
    EVERY_WAY,
    MODEL,
    USAGE,
    RawServer,
    by_chat,
    by_stream,
    by_way,
    chunk,
    client_of,
    completion,
    error,
    http,
    sse,
    streamed,
    told,
)

QUESTION = "What is scope 2?"
HELLO, END, COUNT = chunk({"content": "Bought electricity."}), chunk({}, "stop"), chunk(None, usage=USAGE)
WHOLE = json.dumps(completion("Bought electricity.")).encode()
BOM = "\N{BYTE ORDER MARK}".encode()

ODD_STREAMS = {
    "no [DONE]": streamed(sse(HELLO, END, COUNT)),
    "no [DONE], closed without the last chunk of HTTP": streamed(sse(HELLO, END, COUNT), end=False),
    "no empty line at the end": streamed(sse(HELLO, END, COUNT)[:-1]),
    "a BOM before it": streamed(BOM + sse(HELLO, END, COUNT, DONE)),
    "a BOM in two pieces": streamed(BOM[:1], BOM[1:] + sse(HELLO, END, COUNT, DONE)),
    "CR LF": streamed(sse(HELLO, END, COUNT, DONE).replace(b"\n", b"\r\n")),
    "bare CR": streamed(sse(HELLO, END, COUNT, DONE).replace(b"\n", b"\r")),
    "CR and LF in two pieces": streamed(
        *sse(HELLO, END, COUNT, DONE).replace(b"\n", b"\r\n").replace(b"\r\n", b"\r|\n").split(b"|")
    ),
    "a line break of every kind": streamed(
        sse(HELLO).replace(b"\n", b"\r") + sse(END).replace(b"\n", b"\r\n") + sse(COUNT, DONE)
    ),
    "no space after the colon": streamed(sse(HELLO, END, COUNT, DONE).replace(b"data: ", b"data:")),
    "comments and other fields": streamed(
        b": OPENROUTER PROCESSING\n\nid: 1\nretry: 10\nevent: message\n" + sse(HELLO, b": ping\n\n", END, COUNT, DONE)
    ),
    "data over two lines": streamed(sse(HELLO).replace(b', "choices"', b',\ndata: "choices"') + sse(END, COUNT, DONE)),
    "white space around [DONE]": streamed(sse(HELLO, END, COUNT, " [DONE] ")),
    "usage beside the last choice": streamed(sse(HELLO, {**END, "usage": USAGE}, DONE)),
    "usage null in every chunk": streamed(sse({**HELLO, "usage": None}, {**END, "usage": None}, COUNT, DONE)),
    "a chunk that repeats the end": streamed(sse(HELLO, END, END, COUNT, DONE)),
    "events after [DONE]": streamed(sse(HELLO, END, COUNT, DONE, COUNT)),
    "an empty chunk of HTTP between": streamed(sse(HELLO)[:30], sse(HELLO)[30:], sse(END, COUNT, DONE)),
    "charset in the type": streamed(
        sse(HELLO, END, COUNT, DONE), headers={"content-type": "text/event-stream;charset=UTF-8"}
    ),
}


@pytest.mark.parametrize("ask", BY_STREAM)
@pytest.mark.parametrize("odd", ODD_STREAMS)
def test_an_odd_stream_that_ended_is_an_answer(odd, ask):
    with RawServer(ODD_STREAMS[odd]) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert answer.text == "Bought electricity."
        assert (answer.finish_reason, answer.estimated) == ("stop", False)
        assert answer.usage.output_tokens == USAGE["completion_tokens"]
        assert client.chat(MODEL, QUESTION).cache == "exact"
        assert server.count == 1


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("ask", BY_STREAM)
def test_a_server_that_refuses_stream_options_can_be_streamed(status, ask):
    def reply(request):
        if "stream_options" in request.json:
            return error(status, "Unrecognized request argument supplied: stream_options")
        return streamed(sse(HELLO, END, DONE))

    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert (answer.text, answer.estimated) == ("Bought electricity.", True)
        ask(client, "And again?")
        assert server.count == 3  # learned at the first call
        assert client.health() == {"openai": "closed"}


def test_a_server_that_wants_max_completion_tokens_is_given_it():
    def reply(request):
        if "max_tokens" in request.json:
            words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            return error(400, {"error": {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}})
        return told()(request)

    with RawServer(reply) as server, client_of(server) as client:
        assert client.chat(MODEL, QUESTION, max_tokens=50).text == "An answer."
        assert server.requests[-1].json["max_completion_tokens"] == 50


ODD_BODIES = {
    "a BOM before it": BOM + WHOLE,
    "white space around it": b" \r\n\t" + WHOLE + b"\r\n\n",
}


@pytest.mark.parametrize("odd", ODD_BODIES)
def test_an_odd_body_is_an_answer(odd):
    with RawServer(http(200, ODD_BODIES[odd])) as server, client_of(server) as client:
        assert client.chat(MODEL, QUESTION).text == "Bought electricity."


@pytest.mark.parametrize("escape", [b"\\ud83d", b"\\udf0d", b"\\ud83d x", b"\\udf0d\\ud83d"])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_lone_surrogate_throws_no_answer_away(ask, escape):
    cut = b"Bought" + escape + b" electricity."
    reply = by_way(
        streamed(sse(HELLO).replace(b"Bought electricity.", cut) + sse(END, COUNT, DONE)),
        http(200, WHOLE.replace(b"Bought electricity.", cut)),
    )
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert answer.text.startswith("Bought")
        assert answer.text.endswith(" electricity.")
        assert client.costs.total == answer.cost > 0


def test_a_surrogate_pair_is_its_character():
    body = WHOLE.replace(b"Bought", b"\\ud83c\\udf0d Bought")
    with RawServer(http(200, body)) as server, client_of(server) as client:
        assert client.chat(MODEL, QUESTION).text == "\N{EARTH GLOBE EUROPE-AFRICA} Bought electricity."


@pytest.mark.parametrize("ask", [by_chat, by_stream])
def test_a_packed_reply_is_unpacked(ask):
    events = gzip.compress(sse(HELLO, END, COUNT, DONE))
    headers = {"content-encoding": "gzip"}
    reply = by_way(streamed(events, headers=headers), http(200, gzip.compress(WHOLE), headers))
    with RawServer(reply) as server, client_of(server) as client:
        assert ask(client, QUESTION).text == "Bought electricity."
        assert "gzip" in server.requests[0].headers["accept-encoding"]


def test_the_words_of_a_packed_error_are_read():
    body = gzip.compress(json.dumps({"error": {"message": "the region is closed"}}).encode())
    with (
        RawServer(http(400, body, {"content-encoding": "gzip"})) as server,
        pytest.raises(headrace.ProviderError, match="the region is closed"),
    ):
        client_of(server).chat(MODEL, QUESTION)


def test_a_line_of_four_megabytes_is_read():
    long = "electricity " * 350_000
    with RawServer(streamed(sse(chunk({"content": long}), END, COUNT, DONE))) as server, client_of(server) as client:
        assert by_stream(client, QUESTION).text == long


def test_a_line_in_many_small_pieces_is_read():
    long = "electricity " * 20_000
    data = sse(chunk({"content": long}), END, COUNT, DONE)
    pieces = [data[n : n + 128] for n in range(0, len(data), 128)]
    with RawServer(streamed(*pieces)) as server, client_of(server) as client:
        assert by_stream(client, QUESTION).text == long


MEGABYTE = b" " * (1 << 20)


class Flood:
    """Blanks, a megabyte a piece, and how many pieces the other side took."""

    def __init__(self, count, last=b""):
        self.count, self.last, self.taken = count, last, 0

    def steps(self, status, kind):
        yield f"HTTP/1.1 {status} Fine\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
        for _ in range(self.count):
            yield MEGABYTE
            self.taken += 1
        yield self.last


def test_a_reply_without_end_is_cut_off():
    flood = Flood(400, WHOLE)
    with RawServer(lambda _: flood.steps(200, "application/json")) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError, match=r"bytes|MB|MiB|large"):
            client.chat(MODEL, QUESTION)
        server.wait_until_left()
        assert flood.taken < flood.count


def test_the_body_of_an_error_is_read_as_far_as_its_words_go():
    flood = Flood(400)
    with RawServer(lambda _: flood.steps(400, "text/plain")) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError) as caught:
            client.chat(MODEL, QUESTION)
        assert (caught.value.status_code, len(str(caught.value)) < 5000) == (400, True)
        server.wait_until_left()
        assert flood.taken < flood.count


def test_a_stream_without_an_event_is_cut_off():
    flood = Flood(1000)
    with RawServer(lambda _: flood.steps(200, "text/event-stream")) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            by_stream(client, QUESTION)
        server.wait_until_left()
        assert flood.taken < flood.count


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_off():
    bomb = gzip.compress(b" " * (100 << 20) + WHOLE, 1)
    with RawServer(http(200, bomb, {"content-encoding": "gzip"})) as server, pytest.raises(headrace.ProviderError):
        client_of(server).chat(MODEL, QUESTION)


def test_a_reply_of_ten_megabytes_is_an_answer():
    long = "electricity " * 900_000
    with RawServer(http(200, completion(long))) as server, client_of(server) as client:
        assert client.chat(MODEL, QUESTION).text == long
