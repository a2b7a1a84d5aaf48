"""Anthropic's own Python client before the endpoint, with a provider behind it that speaks OpenAI's protocol."""

import asyncio

import pytest
from endpoint_ways import served, simulated
from raw_server import DONE, RawServer, chunk, client_of, http, sse, streamed

anthropic = pytest.importorskip("anthropic")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.parametrize("way", ["server", "transport"])]

ECHO = "simulated/echo"
MODEL = "openai/gpt-4o-mini"


def asked(words, model=ECHO, **more):
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": words}], **more}


def test_a_message_is_answered_and_counted(way):
    with simulated() as client, served(client, way, anthropic.Anthropic, path="") as ai:
        raw = ai.messages.with_raw_response.create(**asked("Which scope is travel?"))
        reply = raw.parse()
        assert reply.content[0].text == "Which scope is travel?"
        assert (reply.stop_reason, reply.role) == ("end_turn", "assistant")
        assert reply.usage.output_tokens > 0
        assert raw.headers["request-id"].startswith("req_")
        counted = ai.messages.count_tokens(model=ECHO, messages=asked("Which scope is travel?")["messages"])
        assert counted.input_tokens > 3


def test_a_stream_is_read_to_the_same_message(way):
    pieces = [chunk({"content": "Scope 2 "}), chunk({"content": "was 1,204 t."}), chunk({}, "stop"), DONE]
    with RawServer(streamed(sse(*pieces))) as server, client_of(server) as client:
        with served(client, way, anthropic.Anthropic, path="") as ai, ai.messages.stream(**asked("?", MODEL)) as stream:
            assert "".join(stream.text_stream) == "Scope 2 was 1,204 t."
            final = stream.get_final_message()
        assert final.content[0].text == "Scope 2 was 1,204 t."
        assert final.usage.output_tokens > 0


def test_a_tool_call_goes_through(way):
    tools = [
        {
            "name": "emissions",
            "description": "Emissions of a year",
            "input_schema": {"type": "object", "properties": {}},
        }
    ]
    with simulated() as client, served(client, way, anthropic.Anthropic, path="") as ai:
        call = asked("What were they?", "simulated/esg", tools=tools, tool_choice={"type": "any"})
        reply = ai.messages.create(**call)
        assert reply.stop_reason == "tool_use"
        assert [block.name for block in reply.content if block.type == "tool_use"] == ["emissions"]
        with ai.messages.stream(**call) as stream:
            final = stream.get_final_message()
        assert [block.name for block in final.content if block.type == "tool_use"] == ["emissions"]


@pytest.mark.parametrize(
    ("change", "error", "kind"),
    [
        ({"model": "nosuch/model"}, "NotFoundError", "not_found_error"),
        ({"messages": []}, "BadRequestError", "invalid_request_error"),
    ],
)
def test_what_is_wrong_is_told_in_anthropics_words(way, change, error, kind):
    with simulated() as client, served(client, way, anthropic.Anthropic, path="") as ai:
        with pytest.raises(getattr(anthropic, error)) as caught:
            ai.messages.create(**asked("a?") | change)
        assert caught.value.body["error"]["type"] == kind


def test_budget_and_key_of_the_provider_have_their_kind(way):
    refusal = http(401, {"error": {"message": "no"}})
    with (
        RawServer(refusal) as server,
        client_of(server) as client,
        served(client, way, anthropic.Anthropic, path="") as ai,
    ):
        with pytest.raises(anthropic.InternalServerError) as caught:
            ai.messages.create(**asked("a?", MODEL))
        assert (caught.value.status_code, caught.value.body["error"]["type"]) == (502, "api_error")
        client.costs.set_budget("0.000001")
        with pytest.raises(anthropic.APIStatusError) as caught:
            ai.messages.create(**asked("a?", MODEL))
        assert (caught.value.status_code, caught.value.body["error"]["type"]) == (402, "billing_error")


def test_by_asyncio(way):
    async def main(ai):
        replies = await asyncio.gather(*[ai.messages.create(**asked(f"question {n}")) for n in range(20)])
        await ai.close()
        return [reply.content[0].text for reply in replies]

    with simulated() as client, served(client, way, anthropic.AsyncAnthropic, path="") as ai:
        assert asyncio.run(main(ai)) == [f"question {n}" for n in range(20)]


def test_models_are_listed_page_by_page_in_its_own_form(way):
    names = [f"m{number}" for number in range(45)]
    lists = http(200, {"data": [{"id": name} for name in names]})
    with (
        RawServer(lists) as server,
        client_of(server) as client,
        served(client, way, anthropic.Anthropic, path="") as ai,
    ):
        page = ai.models.list()
        assert (len(page.data), page.has_more, page.last_id) == (20, True, "openai/m19")
        assert [model.id for model in page] == [f"openai/{name}" for name in names]
        assert [model.id for model in ai.models.list(before_id="openai/m2")] == ["openai/m0", "openai/m1"]
        one = ai.models.retrieve("openai/m7")
        assert (one.type, one.display_name, one.created_at.year) == ("model", "openai/m7", 1970)
        with pytest.raises(anthropic.NotFoundError):
            ai.models.retrieve("openai/nosuch")
        with pytest.raises(anthropic.BadRequestError):
            ai.models.list(after_id="openai/nosuch")
