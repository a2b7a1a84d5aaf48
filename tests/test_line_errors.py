"""An error of a provider is never an answer: it is raised in the provider's words, what was sent is booked, nothing is
kept. Each provider here is a bare socket that sends just that."""

import headrace
import pytest
from raw_server import (
    BY_STREAM,
    CLOSE,
    DONE,
    EVERY_WAY,
    MODEL,
    RawServer,
    by_chat,
    by_way,
    chunk,
    client_of,
    completion,
    http,
    sse,
    streamed,
    told,
    whole,
)

HALF = chunk({"role": "assistant", "content": "Scope 2 emissions were"})
GONE = {"error": {"message": "the machine is gone", "type": "server_error", "code": "gone"}}
WORDS = "the machine is gone"
QUESTION = "What were scope 2 emissions?"
TOOL = {
    "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"y":'}}]
}

SAID = {
    "an error object, then [DONE]": streamed(sse(HALF, GONE, DONE)),
    "an error object, then nothing": streamed(sse(HALF, GONE)),
    "an error object beside choices": streamed(sse(HALF, {**chunk({}, "error"), **GONE}, DONE)),
    "an error object after finish_reason": streamed(sse(HALF, chunk({}, "stop"), GONE, DONE)),
    "an error as a text": streamed(sse(HALF, {"error": WORDS}, DONE)),
    "event: error": streamed(sse(HALF, f'event: error\ndata: {{"message": "{WORDS}"}}\n\n'.encode(), DONE)),
    "event: error without JSON": streamed(sse(HALF, f"event: error\ndata: {WORDS}\n\n".encode(), DONE)),
    "event: error with an error object": streamed(
        sse(HALF, f'event: error\ndata: {{"error": {{"message": "{WORDS}"}}}}\n\n'.encode(), DONE)
    ),
    "an error object, then the connection closed": streamed(sse(HALF, GONE), end=False),
}
SILENT = {
    "finish_reason error": streamed(sse(HALF, chunk({}, "error"), DONE)),
    "no finish_reason, then [DONE]": streamed(sse(HALF, DONE)),
    "no finish_reason, no [DONE]": streamed(sse(HALF)),
    "the connection closed": streamed(sse(HALF), end=False),
    "the connection closed inside an event": streamed(sse(HALF), sse(chunk({"content": "x"}))[:20], end=False),
    "a tool call that breaks off": streamed(sse(HALF, chunk(TOOL), DONE)),
    "one of two choices without an end": streamed(
        sse(HALF, chunk({"content": "so"}, index=1), chunk({}, "stop", index=1), DONE)
    ),
}


def asked_again(server, client, ask):
    """The question again, which the provider now answers."""
    before = server.count
    server.then(told("Whole."))
    answer = ask(client, QUESTION)
    assert (answer.text, answer.cache) == ("Whole.", None)
    assert server.count == before + 1


def only_record(client):
    records = client.costs.records()
    assert len(records) == 1, records
    return records[0]


@pytest.mark.parametrize("ask", BY_STREAM)
@pytest.mark.parametrize("said", SAID)
def test_an_error_in_a_stream_is_raised_in_the_providers_words(said, ask):
    with RawServer(SAID[said]) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError, match=WORDS):
            ask(client, QUESTION)
        booked = only_record(client)
        assert booked.estimated
        assert booked.usage.output_tokens > 0
        assert client.costs.total == booked.cost > 0
        asked_again(server, client, ask)


@pytest.mark.parametrize("ask", BY_STREAM)
@pytest.mark.parametrize("broken", SILENT)
def test_a_stream_without_its_end_is_an_error(broken, ask):
    with RawServer(SILENT[broken]) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            ask(client, QUESTION)
        booked = only_record(client)
        assert booked.estimated
        assert booked.usage.output_tokens > 0
        asked_again(server, client, ask)
        assert client.chat(MODEL, QUESTION).cache == "exact"


@pytest.mark.parametrize("first", BY_STREAM)
def test_half_an_answer_is_not_served_to_the_next_chat(first):
    with RawServer(SAID["an error object, then [DONE]"]) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            first(client, QUESTION)
        asked_again(server, client, by_chat)


@pytest.mark.parametrize(
    "body",
    [
        GONE,
        {"error": WORDS},
        {"error": {"message": WORDS}, "choices": []},
        {**completion("Scope 2 emissions were"), **GONE},
        {**completion("Scope 2 emissions were", "error"), **GONE},
        {
            **completion("", "error"),
            "choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "error", **GONE}],
        },
    ],
    ids=["object", "text", "no choices", "beside an answer", "beside half an answer", "inside the choice"],
)
def test_an_error_object_in_a_reply_with_status_200_is_an_error(body):
    with RawServer(http(200, body)) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError, match=WORDS):
            client.chat(MODEL, QUESTION)
        asked_again(server, client, by_chat)


@pytest.mark.parametrize("body", [{}, GONE], ids=["by its finish_reason", "by an error object beside it"])
def test_a_reply_that_ended_with_an_error_is_an_error_and_is_booked(body):
    reply = http(200, {**completion("Scope 2 emissions were", "error"), **body})
    with RawServer(reply) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            client.chat(MODEL, QUESTION)
        assert only_record(client).usage.output_tokens == 5  # as the provider told
        asked_again(server, client, by_chat)


@pytest.mark.parametrize("finish", ["length", "content_filter", "tool_calls", "made_up"])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_only_what_ended_by_itself_is_kept(ask, finish):
    reply = by_way(streamed(sse(HALF, chunk({}, finish), DONE)), whole("Scope 2 emissions were", finish))
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert answer.text == "Scope 2 emissions were"
        asked_again(server, client, ask)


def test_a_whole_reply_that_does_not_say_how_it_ended_is_not_kept():
    with RawServer(whole("Scope 2 emissions were", None)) as server, client_of(server) as client:
        try:
            assert client.chat(MODEL, QUESTION).text == "Scope 2 emissions were"
        except headrace.ProviderError as error:
            assert "finish_reason" in str(error)
        asked_again(server, client, by_chat)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_body_that_breaks_off_is_an_error(cut):
    body = whole("Scope 2 emissions were 1,204 t.")[0]
    with RawServer([body[: int(len(body) * cut)], CLOSE]) as server, client_of(server) as client:
        with pytest.raises(headrace.ProviderError):
            client.chat(MODEL, QUESTION)
        asked_again(server, client, by_chat)


@pytest.mark.parametrize("ask", BY_STREAM)
def test_an_error_before_the_first_word_is_tried_again_and_costs_nothing(ask):
    with RawServer(streamed(sse(GONE, DONE)), told("Whole.")) as server, client_of(server, max_attempts=2) as client:
        answer = ask(client, QUESTION)
        assert (answer.text, answer.attempts, server.count) == ("Whole.", 2, 2)
        assert len([record for record in client.costs.records() if record.cost]) == 1


@pytest.mark.parametrize("ask", BY_STREAM)
def test_once_words_were_read_nothing_is_asked_again(ask):
    with RawServer(SAID["an error object, then [DONE]"], told("Whole.")) as server:
        with client_of(server, max_attempts=3) as client, pytest.raises(headrace.ProviderError):
            ask(client, QUESTION)
        assert server.count == 1


def test_what_was_read_before_the_error_was_given_to_the_reader():
    with RawServer(SAID["an error object, then [DONE]"]) as server, client_of(server) as client:
        stream, words = client.stream(MODEL, QUESTION), []
        with pytest.raises(headrace.ProviderError, match=WORDS):
            for piece in stream:
                words.append(piece.text)
        assert "".join(words) == "Scope 2 emissions were"
        assert stream.response is None
