"""What a hostile reader of the line found: callers that leave, embedders that fail, odd forms of an answer."""

import asyncio
import gc
import json
import os
import threading
import weakref
from contextlib import closing

import headrace
import numpy as np
import pydantic
import pytest
from raw_server import MODEL, RawServer, chunk, client_of, completion, http, sse, streamed, told

QUESTION = "What were Acme's scope 2 emissions in 2023?"


def one_vector(texts):
    return np.ones((len(texts), 4), np.float32)


def test_a_request_that_was_sent_and_left_is_booked_as_far_as_it_is_known():
    never = threading.Event()
    with RawServer([never]) as server, client_of(server) as client:
        with pytest.raises(headrace.Timeout):
            client.chat(MODEL, QUESTION, timeout=0.3)
        [record] = client.costs.records()
        assert record.estimated
        assert record.usage.input_tokens > 0
        assert record.usage.output_tokens == 0


def test_a_cancelled_request_is_booked():
    never = threading.Event()

    async def leave(client, server):
        task = asyncio.create_task(client.achat(MODEL, QUESTION))
        while server.count == 0:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with RawServer([never]) as server, client_of(server) as client:
        asyncio.run(leave(client, server))
        server.wait_until_left()
        assert len(client.costs.records()) == 1


def test_a_cache_that_cannot_be_asked_stops_no_call(caplog):
    broken = threading.Event()

    def embed(texts):
        if broken.is_set():
            raise RuntimeError("the model is gone")
        return one_vector(texts)

    with RawServer() as server, client_of(server, cache=headrace.SemanticCache(embed)) as client:
        client.chat(MODEL, "What were scope 2 emissions in 2023?")
        broken.set()
        assert client.chat(MODEL, "What does GRI 305 ask for?").cache is None
        assert server.count == 2
        assert "the call goes on" in caplog.text


def test_an_embedder_may_call_the_client_that_it_serves():
    made = {}

    def embed(texts):
        made["client"].chat(MODEL, "what does the embedder want?", cache=False)
        return one_vector(texts)

    with RawServer() as server:
        cache = headrace.SemanticCache(embed)
        with client_of(server, cache=cache, limits={"concurrency": 1}) as client:
            made["client"] = client
            assert client.chat(MODEL, QUESTION).text


def test_one_follower_leads_where_a_leader_left_its_stream():
    first = streamed(sse(chunk({"content": "a "})), threading.Event())

    async def run(client, server):
        stream = await client.astream(MODEL, "the same question?")
        followers = [asyncio.create_task(client.achat(MODEL, "the same question?")) for _ in range(5)]
        await asyncio.sleep(0)
        await stream.aclose()
        answers = await asyncio.gather(*followers)
        assert server.count == 2
        assert sorted(str(answer.cache) for answer in answers) == ["None", *["exact"] * 4]

    with RawServer(first, told()) as server, client_of(server) as client:
        asyncio.run(run(client, server))


def test_a_stream_in_a_cycle_is_collected_and_frees_its_place():
    class App:
        def __init__(self, server):
            self.client = client_of(server, limits={"concurrency": 1}, on_call=self.hear)
            self.stream = self.client.stream(MODEL, QUESTION)
            next(iter(self.stream))

        def hear(self, _outcome):
            pass

    with RawServer(streamed(sse(chunk({"content": "a "})), threading.Event())) as server:
        app = App(server)
        seen = weakref.ref(app)
        del app
        gc.collect()
        assert seen() is None
        server.wait_until_left()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_stream_that_was_opened_before_a_fork_says_so():
    with RawServer(streamed(sse(chunk({"content": "a "})), threading.Event())) as server, client_of(server) as client:
        stream = client.stream(MODEL, QUESTION)
        next(stream)
        child = os.fork()
        if child == 0:
            try:
                next(stream)
            except ValueError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        stream.close()


class Inner(pydantic.BaseModel):
    unit: str = pydantic.Field(default="t", description="of the figure")


class Plain(pydantic.BaseModel):
    default: str
    x: int | None = None
    inner: Inner = pydantic.Field(default_factory=Inner, description="how it is told")


class Node(pydantic.BaseModel):
    name: str
    kids: list["Node"] = []


class Open(pydantic.BaseModel):
    figures: dict[str, int]


class Pair(pydantic.BaseModel):
    pair: tuple[int, str]


class Numbers(pydantic.RootModel[list[int]]):
    pass


def sent_schema(model):
    with RawServer() as server, client_of(server) as client:
        client.chat(MODEL, QUESTION, response_format=model)
        return server.requests[0].json["response_format"]["json_schema"]


def objects_in(schema):
    if isinstance(schema, dict):
        yield from [schema] if schema.get("type") == "object" else []
        for value in schema.values():
            yield from objects_in(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from objects_in(item)


@pytest.mark.parametrize("model", [Plain, Node])
def test_a_strict_schema_is_what_strict_mode_takes(model):
    sent = sent_schema(model)
    assert sent["strict"] is True
    assert sent["schema"]["type"] == "object"
    assert set(sent["schema"]["properties"]) == set(model.model_fields)
    for one in objects_in(sent["schema"]):
        assert one["additionalProperties"] is False
        assert set(one["required"]) == set(one["properties"])
    assert '"default":' not in json.dumps({**sent["schema"], "properties": {}})


@pytest.mark.parametrize("model", [Open, Pair, Numbers])
def test_a_schema_that_strict_mode_cannot_express_goes_along_as_it_is(model):
    sent = sent_schema(model)
    assert sent["strict"] is False
    assert sent["schema"] == model.model_json_schema()


def test_an_answer_that_is_not_of_the_form_is_not_kept_and_not_logged(caplog):
    broken = http(200, completion("my secret salary is 5"))
    with RawServer(broken, http(200, completion('{"name": "a", "kids": []}'))) as server, client_of(server) as client:
        assert client.chat(MODEL, QUESTION, response_format=Node).parsed is None
        assert client.chat(MODEL, QUESTION, response_format=Node).parsed == Node(name="a")
        assert "salary" not in caplog.text


def test_a_tool_loop_can_be_written_with_what_a_response_gives():
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"year": 2023}'}}
    asks = http(200, completion({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"))
    with RawServer(asks) as server, client_of(server) as client:
        first = client.chat(MODEL, QUESTION)
        question = {"role": "user", "content": QUESTION}
        result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "1,204 t"}
        for turn in (first.message, first, {"role": "assistant", "content": None, "tool_calls": first.tool_calls}):
            client.chat(MODEL, [question, turn, result], cache=False)
            sent = server.requests[-1].json["messages"][1]
            assert (sent["role"], sent["tool_calls"]) == ("assistant", [call])
        assert first.to_dict()["tool_calls"] == [call]


@pytest.mark.parametrize("body", [{"model": "x"}, {"messages": []}, {"stream": True}, "text", [1], 5])
def test_an_extra_body_that_would_vanish_is_refused(body):
    with RawServer() as server, client_of(server) as client:
        with pytest.raises(ValueError, match="extra_body"):
            client.chat(MODEL, QUESTION, extra_body=body)
        assert server.count == 0


def test_tags_of_a_map_are_each_calls():
    with RawServer() as server, closing(client_of(server)) as client:
        client.map(["a?", "b?"], model=MODEL, tags=(tag for tag in ["report"]))
        assert [list(record.tags) for record in client.costs.records()] == [["report"], ["report"]]
