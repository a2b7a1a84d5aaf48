"""All that a provider says arrives: tool calls, reasoning, refusals, typed parts, several choices, however it is cut."""

import itertools
import json

import headrace
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    http,
    sse,
    streamed,
    whole,
)

QUESTION = "What were scope 1 and scope 2 emissions?"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("scope_1", "scope_2")
]
CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "scope_1", "arguments": '{"year": 2023}'}},
    {"id": "call_b", "type": "function", "function": {"name": "scope_2", "arguments": '{"year": 2024}'}},
]


def piece(n, arguments, **more):
    """A piece of the nth tool call."""
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return chunk({"tool_calls": [{"index": n, "function": function, **more}]})


INTERLEAVED = [
    chunk({"role": "assistant", "content": None}),
    piece(0, "", id="call_a", type="function", name="scope_1"),
    piece(1, "", id="call_b", type="function", name="scope_2"),
    piece(0, '{"year"'),
    piece(1, '{"ye'),
    piece(0, ": 2023}"),
    piece(1, 'ar": 2024}'),
]


def both(message, *deltas, finish="stop"):
    """The same answer whole and streamed."""
    events = [*(chunk(delta) if "choices" not in delta else delta for delta in deltas), chunk({}, finish)]
    return by_way(streamed(sse(*events, chunk(None, usage=USAGE), DONE)), whole(message, finish))


def calls_of(answer):
    return [(call.id, call.name, call.arguments) for call in answer.tool_calls]


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_interleaved_tool_calls_arrive_and_are_never_kept(ask, finish):
    reply = both({"content": None, "tool_calls": CALLS}, *INTERLEAVED, finish=finish)
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION, tools=TOOLS)
        assert calls_of(answer) == [
            ("call_a", "scope_1", '{"year": 2023}'),
            ("call_b", "scope_2", '{"year": 2024}'),
        ]
        sent = [call["function"] for call in answer.raw["choices"][0]["message"]["tool_calls"]]
        assert sent == [call["function"] for call in CALLS]
        again = client.chat(MODEL, QUESTION, tools=TOOLS)
        assert again.cache is None
        assert calls_of(again) == calls_of(answer)
        assert server.count == 2


@pytest.mark.parametrize("ask", BY_STREAM)
def test_tool_calls_in_a_single_chunk_without_an_index_arrive(ask):
    reply = streamed(sse(chunk({"tool_calls": CALLS}, "tool_calls"), DONE))
    with RawServer(reply) as server, client_of(server) as client:
        assert [call.name for call in ask(client, QUESTION, tools=TOOLS).tool_calls] == ["scope_1", "scope_2"]


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_several_choices_keep_their_words_apart(ask):
    events = [
        chunk({"content": "Scope 1 "}, index=0),
        chunk({"content": "Scope 2 "}, index=1),
        chunk({"content": "rose."}, index=0),
        chunk({"content": "fell."}, index=1),
        chunk({}, "stop", index=1),
        chunk({}, "stop", index=0),
    ]
    reply = by_way(
        streamed(sse(*events, chunk(None, usage=USAGE), DONE)),
        http(200, completion(["Scope 1 rose.", "Scope 2 fell."])),
    )
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION, n=2)
        assert answer.texts == ["Scope 1 rose.", "Scope 2 fell."]
        assert answer.text == "Scope 1 rose."
        assert [choice["message"]["content"] for choice in answer.raw["choices"]] == answer.texts
        again = client.chat(MODEL, QUESTION, n=2)
        assert (again.cache, again.texts) == ("exact", answer.texts)


def test_the_chunks_of_several_choices_say_whose_they_are():
    events = [chunk({"content": "a"}, index=0), chunk({"content": "b"}, index=1)]
    ends = [chunk({}, "stop", index=n) for n in (0, 1)]
    with RawServer(streamed(sse(*events, *ends, DONE))) as server, client_of(server) as client:
        told = [(part.choice, part.text) for part in client.stream(MODEL, QUESTION, n=2) if part.text]
        assert told == [(0, "a"), (1, "b")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("ask", EVERY_WAY)
def test_reasoning_arrives_beside_the_text(ask, name):
    deltas = [{name: "Electricity "}, {name: "is scope 2."}, {"content": "Scope "}, {"content": "2."}]
    reply = both({"content": "Scope 2.", name: "Electricity is scope 2."}, *deltas)
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert (answer.reasoning, answer.text) == ("Electricity is scope 2.", "Scope 2.")
        again = client.chat(MODEL, QUESTION)
        assert (again.cache, again.text, again.reasoning) == ("exact", "Scope 2.", "Electricity is scope 2.")


def test_the_chunks_of_a_stream_tell_reasoning_and_tool_calls():
    events = [chunk({"reasoning_content": "Look it up."}), *INTERLEAVED, chunk({}, "tool_calls"), DONE]
    with RawServer(streamed(sse(*events))) as server, client_of(server) as client:
        chunks = list(client.stream(MODEL, QUESTION, tools=TOOLS))
        assert "".join(part.reasoning for part in chunks) == "Look it up."
        assert [part.tool_call.name for part in chunks if part.tool_call] == ["scope_1", "scope_2"]
        assert [part.arguments for part in chunks if part.arguments] == ['{"year"', '{"ye', ": 2023}", 'ar": 2024}']


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_content_as_a_list_of_typed_parts_is_read(ask):
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Electricity is scope 2."}]}
    first, second = {"type": "text", "text": "Scope "}, {"type": "text", "text": "2."}
    reply = both({"content": [thinking, first, second]}, *({"content": [part]} for part in (thinking, first, second)))
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert (answer.text, answer.reasoning) == ("Scope 2.", "Electricity is scope 2.")
        assert client.costs.total == answer.cost > 0


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_refusal_is_told_and_not_kept(ask):
    reply = both({"content": None, "refusal": "I cannot say."}, {"refusal": "I cannot "}, {"refusal": "say."})
    with RawServer(reply) as server, client_of(server) as client:
        answer = ask(client, QUESTION)
        assert (answer.text, answer.refusal) == ("", "I cannot say.")
        assert ask(client, QUESTION).cache is None
        assert server.count == 2


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_an_empty_answer_is_not_kept(ask):
    with RawServer(both({"content": ""}, {"content": ""})) as server, client_of(server) as client:
        assert ask(client, QUESTION).text == ""
        assert client.chat(MODEL, QUESTION).cache is None
        assert server.count == 2


def test_a_cached_answer_streams_again_with_all_it_had():
    deltas = [{"reasoning_content": "Electricity."}, {"content": "Scope "}, {"content": "2."}]
    with RawServer(both({"content": "Scope 2."}, *deltas)) as server, client_of(server) as client:
        by_stream(client, QUESTION)
        stream = client.stream(MODEL, QUESTION)
        chunks = list(stream)
        assert "".join(part.reasoning for part in chunks) == "Electricity."
        assert "".join(part.text for part in chunks) == "Scope 2."
        assert (stream.response.cache, stream.response.cost, server.count) == ("exact", 0, 1)


def test_a_stream_is_asked_for_once_and_raw_is_as_if_it_had_come_whole():
    deltas = [{"role": "assistant", "content": "Scope "}, {"content": "2."}]
    with RawServer(both({"content": "Scope 2."}, *deltas)) as server, client_of(server) as client:
        raw = by_stream(client, QUESTION).raw
        assert raw["choices"][0]["message"]["content"] == "Scope 2."
        assert raw["choices"][0]["finish_reason"] == "stop"
        assert raw["usage"]["completion_tokens"] == USAGE["completion_tokens"]
        assert server.requests[0].json["stream"] is True


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
arguments = st.dictionaries(words, words, max_size=2).map(lambda given: json.dumps(given, ensure_ascii=False))


@st.composite
def answers(draw):
    """A message, its pieces as deltas in any order that keeps each kind's own, and where the bytes are cut."""
    texts, thoughts = draw(st.lists(words, min_size=1, max_size=4)), draw(st.lists(words, max_size=3))
    calls = draw(st.lists(arguments, max_size=2))
    message = {"content": "".join(texts)}
    lines = [[{"content": text} for text in texts], [{"reasoning_content": text} for text in thoughts]]
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        named = [{"id": f"c{n}", "type": "function", "function": {"name": "look"}} for n in range(len(calls))]
        message["tool_calls"] = [
            {**call, "function": {"name": "look", "arguments": given}} for call, given in zip(named, calls, strict=True)
        ]
        for n, given in enumerate(calls):
            cut = draw(st.integers(0, len(given)))
            pieces = [
                {"index": n, **named[n]},
                *({"index": n, "function": {"arguments": s}} for s in (given[:cut], given[cut:])),
            ]
            lines.append([{"tool_calls": [part]} for part in pieces])
    deltas = []
    while any(lines):
        deltas.append(draw(st.sampled_from([line for line in lines if line])).pop(0))
    return message, deltas, draw(st.lists(st.floats(0, 1), max_size=8))


@pytest.fixture(scope="module")
def line():
    with RawServer() as server, client_of(server) as client:
        yield server, client


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers())
def test_a_stream_cut_anywhere_gives_the_reply_that_comes_whole(line, drawn):
    server, client = line
    message, deltas, cuts = drawn
    finish = "tool_calls" if "tool_calls" in message else "stop"
    data = sse(*map(chunk, deltas), chunk({}, finish), chunk(None, usage=USAGE), DONE)
    places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places) if start < end]
    server.then(by_way(streamed(*pieces), whole(message, finish)))
    one, other = (ask(client, QUESTION, cache=False) for ask in (by_stream, by_chat))

    def told(answer):
        return (
            answer.text,
            answer.reasoning,
            calls_of(answer),
            answer.finish_reason,
            answer.usage,
            answer.cost,
            answer.estimated,
        )

    assert told(one) == told(other)
    assert (one.text, one.reasoning) == (message["content"], message.get("reasoning_content", ""))


def test_an_answer_of_another_shape_is_an_error_and_is_told():
    for body in ([], {"choices": "none"}, {"choices": [{"message": "Scope 2."}]}, {"reply": "Scope 2."}):
        with RawServer(http(200, body)) as server, pytest.raises(headrace.ProviderError):
            client_of(server).chat(MODEL, QUESTION)
