"""OpenAI's own Python client before the endpoint, on a socket and in the process."""

import asyncio
import threading

import pytest
from endpoint_ways import WAYS, served, simulated
from raw_server import DONE, RawServer, chunk, client_of, completion, error, eventually, http, sse, streamed

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.parametrize("way", WAYS)]

ECHO = "simulated/echo"
MODEL = "openai/gpt-4o-mini"
TOOLS = [{"type": "function", "function": {"name": "emissions", "parameters": {"type": "object", "properties": {}}}}]


def asked(words):
    return [{"role": "user", "content": words}]


def test_a_chat_is_answered_booked_and_cached(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        raw = ai.chat.completions.with_raw_response.create(model=ECHO, messages=asked("Which scope is travel?"))
        reply = raw.parse()
        assert reply.choices[0].message.content == "Which scope is travel?"
        assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0
        assert raw.headers["x-headrace-cache"] == "miss"
        assert reply._request_id.startswith("req_")
        again = ai.chat.completions.with_raw_response.create(model=ECHO, messages=asked("Which scope is travel?"))
        assert again.headers["x-headrace-cache"] == "exact"
        assert again.headers["x-headrace-cost-usd"] == "0"
        assert client.costs.summary(by=("model",))[0]["calls"] == 2


def test_a_stream_comes_piece_by_piece_and_ends_with_usage(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        options = {"include_usage": True}
        chunks = list(
            ai.chat.completions.create(
                model=ECHO, messages=asked("Explain ESRS E1"), stream=True, stream_options=options
            )
        )
        assert "".join(part.choices[0].delta.content or "" for part in chunks if part.choices) == "Explain ESRS E1"
        assert len(chunks) > 3
        assert chunks[-1].usage.completion_tokens > 0
        assert 0 < chunks[-1].usage.cost == pytest.approx(float(client.costs.total))


def test_tools_come_whole_and_streamed(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        call = {
            "model": "simulated/esg",
            "messages": asked("What were the emissions?"),
            "tools": TOOLS,
            "tool_choice": "required",
        }
        reply = ai.chat.completions.create(**call)
        assert reply.choices[0].finish_reason == "tool_calls"
        assert reply.choices[0].message.tool_calls[0].function.name == "emissions"
        with ai.chat.completions.stream(**call) as stream:
            final = stream.get_final_completion()
        assert final.choices[0].message.tool_calls[0].function.name == "emissions"


def test_a_schema_is_parsed(way):
    class Figure(pydantic.BaseModel):
        tonnes: float
        year: int

    with RawServer(http(200, completion('{"tonnes": 1204.5, "year": 2023}'))) as server, client_of(server) as client:
        with served(client, way, openai.OpenAI) as ai:
            reply = ai.chat.completions.parse(model=MODEL, messages=asked("Scope 2?"), response_format=Figure)
        assert reply.choices[0].message.parsed == Figure(tonnes=1204.5, year=2023)
        assert server.requests[0].json["response_format"]["json_schema"]["name"] == "Figure"


def test_responses_whole_streamed_and_with_tools(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        reply = ai.responses.create(model=ECHO, input="Which scope is travel?")
        assert (reply.output_text, reply.status) == ("Which scope is travel?", "completed")
        assert reply.usage.total_tokens > 0
        # What was asked as a chat is the same question.
        raw = ai.chat.completions.with_raw_response.create(model=ECHO, messages=asked("Which scope is travel?"))
        assert raw.headers["x-headrace-cache"] == "exact"
        events = list(ai.responses.create(model=ECHO, input="Explain ESRS E1", stream=True))
        assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == "Explain ESRS E1"
        assert events[-1].type == "response.completed"
        assert events[-1].response.usage.total_tokens > 0
        tools = [{"type": "function", "name": "emissions", "parameters": {"type": "object", "properties": {}}}]
        call = {"model": "simulated/esg", "input": "What were they?", "tools": tools, "tool_choice": "required"}
        assert [item.name for item in ai.responses.create(**call).output] == ["emissions"]
        with ai.responses.stream(**call) as stream:
            assert [item.name for item in stream.get_final_response().output] == ["emissions"]
        with pytest.raises(openai.NotFoundError):
            ai.responses.create(model="nosuch/model", input="a?")


def test_embeddings(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        made = ai.embeddings.create(model="simulated/embedding", input=["a", "b"])
        assert [len(one.embedding) for one in made.data] == [256, 256]
        assert made.usage.total_tokens > 0
        assert client.embed("simulated/embedding", "b")[0].tolist() == pytest.approx(made.data[1].embedding)


def test_models_are_listed(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        listed = [model.id for model in ai.models.list()]
        assert ECHO in listed
        assert ai.models.retrieve(ECHO).owned_by == "simulated"
        with pytest.raises(openai.NotFoundError):
            ai.models.retrieve("simulated/nosuch")


def test_routes_and_what_a_provider_lists_are_listed_as_a_client_sends_them(way):
    lists = http(200, {"object": "list", "data": [{"id": "gpt-4o-mini"}, {"id": "ft:gpt-4o:esg"}]})
    routes = {"report": {"models": ["openai/gpt-4o-mini", "openai/gpt-5"]}}
    with (
        RawServer(lists) as server,
        client_of(server, routes=routes) as client,
        served(client, way, openai.OpenAI) as ai,
    ):
        first, second = list(ai.models.list()), list(ai.models.list())
        assert [model.id for model in first] == ["report", "openai/gpt-4o-mini", "openai/ft:gpt-4o:esg", "openai/gpt-5"]
        assert [model.owned_by for model in first] == ["headrace", "openai", "openai", "openai"]
        assert [model.created for model in first] == [model.created for model in second]
        # As it is named without its provider, too.
        assert ai.models.retrieve("gpt-4o-mini").id == "openai/gpt-4o-mini"
        # The provider was asked once.
        assert [request.line for request in server.requests] == ["GET /v1/models HTTP/1.1"]


def test_a_provider_that_does_not_list_has_what_the_price_list_knows(way):
    with RawServer(error(500)) as server, client_of(server) as client, served(client, way, openai.OpenAI) as ai:
        listed = [model.id for model in ai.models.list()]
        assert "openai/gpt-4o-mini" in listed and "openai/text-embedding-3-small" in listed
        assert not [name for name in listed if not name.startswith("openai/") or "gpt-image" in name]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "nosuch/model"}, 404, "model_not_found"),
        ({"messages": []}, 400, "invalid_value"),
        ({"temperature": "hot"}, 400, "invalid_value"),
        ({"stream": True, "model": "nosuch/model"}, 404, "model_not_found"),
    ],
)
def test_what_is_wrong_is_told_in_openais_words(way, change, status, code):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        with pytest.raises(openai.APIStatusError) as caught:
            ai.chat.completions.create(**{"model": ECHO, "messages": asked("a?")} | change)
        assert (caught.value.status_code, caught.value.code) == (status, code)


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_that_is_spent_is_402(way, stream):
    with RawServer() as server, client_of(server) as client, served(client, way, openai.OpenAI) as ai:
        client.costs.set_budget("0.000001")
        with pytest.raises(openai.APIStatusError) as caught:
            ai.chat.completions.create(model=MODEL, messages=asked("a?"), stream=stream)
        assert (caught.value.status_code, caught.value.code) == (402, "budget_exceeded")
        assert server.count == 0


@pytest.mark.parametrize(
    ("provider", "told", "code"),
    [
        (401, 502, "provider_authentication"),
        (402, 502, "provider_billing"),
        (429, 429, "rate_limit_exceeded"),
        (400, 400, "provider_rejected"),
        (500, 502, "provider_unavailable"),
        (503, 503, "provider_unavailable"),
        (504, 504, "provider_timeout"),
    ],
)
def test_a_providers_refusal_is_told_by_whose_fault_it_is(way, provider, told, code):
    with (
        RawServer(
            http(provider, {"error": {"message": "no"}}, {"retry-after": "7"} if provider == 429 else {})
        ) as server,
        client_of(server) as client,
        served(client, way, openai.OpenAI) as ai,
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            ai.chat.completions.create(model=MODEL, messages=asked("a?"))
        assert (caught.value.status_code, caught.value.code) == (told, code)
        assert caught.value.response.headers.get("retry-after") == ("7" if provider == 429 else None)
        assert "sk-test" not in str(caught.value)


def test_the_sdks_own_retries_succeed(way):
    with RawServer(http(503, {"error": {"message": "busy"}}), http(200, completion("42 t"))) as server:
        with client_of(server) as client, served(client, way, openai.OpenAI, max_retries=2) as ai:
            assert ai.chat.completions.create(model=MODEL, messages=asked("a?")).choices[0].message.content == "42 t"
        assert server.count == 2


def test_an_error_in_a_stream_is_an_error(way):
    broken = streamed(sse(chunk({"content": "Scope 2"}), {"error": {"message": "gone", "code": 502}}))
    with (
        RawServer(broken) as server,
        client_of(server) as client,
        served(client, way, openai.OpenAI) as ai,
        pytest.raises(openai.APIError, match="gone"),
    ):
        list(ai.chat.completions.create(model=MODEL, messages=asked("a?"), stream=True))


def test_an_sdk_that_waits_no_longer_cancels_the_call(way):
    with (
        RawServer([threading.Event()]) as server,
        client_of(server) as client,
        served(client, way, openai.OpenAI, timeout=0.5) as ai,
    ):
        with pytest.raises(openai.APITimeoutError):
            ai.chat.completions.create(model=MODEL, messages=asked("a?"))
        server.wait_until_left()
        eventually(lambda: len(client.queue) == 0)


def test_a_stream_that_is_left_stops_the_provider(way):
    first = sse(chunk({"content": "Scope 2"}))
    with (
        RawServer(streamed(first, threading.Event(), sse(DONE))) as server,
        client_of(server) as client,
        served(client, way, openai.OpenAI) as ai,
    ):
        stream = ai.chat.completions.create(model=MODEL, messages=asked("a?"), stream=True)
        assert next(iter(stream)).choices[0].delta.content == "Scope 2"
        stream.close()
        server.wait_until_left()
        eventually(lambda: len(client.queue) == 0)
        eventually(lambda: client.costs.total > 0)


def test_many_at_once_by_asyncio(way):
    async def main(ai):
        calls = [ai.chat.completions.create(model=ECHO, messages=asked(f"question {n}")) for n in range(50)]
        words = [reply.choices[0].message.content for reply in await asyncio.gather(*calls)]
        stream = await ai.chat.completions.create(model=ECHO, messages=asked("Explain ESRS E1"), stream=True)
        said = [part.choices[0].delta.content or "" async for part in stream if part.choices]
        await ai.close()
        return words, "".join(said)

    with simulated() as client, served(client, way, openai.AsyncOpenAI) as ai:
        words, said = asyncio.run(main(ai))
    assert words == [f"question {n}" for n in range(50)]
    assert said == "Explain ESRS E1"


def test_headers_say_whose_call_it_is_and_how_urgent(way):
    with simulated() as client, served(client, way, openai.OpenAI) as ai:
        headers = {"x-headrace-tenant": "acme", "x-headrace-tags": "csrd, project=x", "x-headrace-priority": "high"}
        ai.chat.completions.create(model=ECHO, messages=asked("a?"), extra_headers=headers)
        record = client.costs.records()[0]
        assert (record.tenant, list(record.tags)) == ("acme", ["csrd", "project=x"])
        with pytest.raises(openai.BadRequestError, match="urgent"):
            ai.chat.completions.create(
                model=ECHO, messages=asked("b?"), extra_headers={"x-headrace-priority": "urgent"}
            )
        again = ai.chat.completions.with_raw_response.create(
            model=ECHO, messages=asked("a?"), extra_headers=headers | {"cache-control": "no-cache"}
        )
        assert again.headers["x-headrace-cache"] == "miss"
