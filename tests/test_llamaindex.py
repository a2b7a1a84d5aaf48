"""LlamaIndex in the process: its LLM before a client."""

import asyncio
import base64
import json

import headrace
import pytest
from endpoint_ways import simulated
from pydantic import BaseModel
from raw_server import DONE, USAGE, RawServer, chunk, client_of, sse, streamed, whole

pytest.importorskip("llama_index.core")
pytestmark = pytest.mark.filterwarnings("ignore")

from headrace.llamaindex import ClientLLM  # noqa: E402
from llama_index.core.base.llms.types import (  # noqa: E402
    AudioBlock,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.tools import FunctionTool  # noqa: E402


def asked(text):
    return [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=text)]


def with_calls(*calls):
    """A reply of OpenAI's that asks for tools."""
    made = [
        {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (name, arguments) in enumerate(calls)
    ]
    return whole({"content": None, "tool_calls": made}, "tool_calls")


def in_events(*deltas, finish="tool_calls"):
    """A stream of OpenAI's."""
    return streamed(sse(*map(chunk, deltas), chunk({}, finish), chunk(None, usage=USAGE), DONE))


def of_call(place, **function):
    """A piece of a tool call; the first one has its name."""
    begun = {"id": f"call_{place}"} if "name" in function else {}
    return {"tool_calls": [{"index": place, "function": function, **begun}]}


def emissions(year: int) -> str:
    """The emissions of a year."""
    return f"{year}: 12 t"


TOOL = FunctionTool.from_defaults(emissions)


def test_an_llm_is_answered_by_the_client_in_every_way():
    with simulated() as client:
        llm = ClientLLM(client, "simulated/echo", tenant="esg")
        reply = llm.chat(asked("Which scope is travel?"))
        assert reply.message.content == "Which scope is travel?"
        assert reply.additional_kwargs["total_tokens"] > 0 and reply.additional_kwargs["cache"] is None
        assert llm.complete("one?").text == "one?"
        pieces = list(llm.stream_chat(asked("Explain ESRS E1")))
        assert "".join(piece.delta for piece in pieces) == pieces[-1].message.content == "Explain ESRS E1"
        assert pieces[-1].additional_kwargs["completion_tokens"] > 0
        assert [piece.text for piece in llm.stream_complete("Explain ESRS E3")][-1] == "Explain ESRS E3"

        async def twins():
            chat = (await llm.achat(asked("two?"))).message.content
            completed = (await llm.acomplete("three?")).text
            pieces = [piece async for piece in await llm.astream_chat(asked("Explain ESRS E2"))]
            texts = [piece.text async for piece in await llm.astream_complete("Explain ESRS E4")]
            return chat, completed, "".join(piece.delta for piece in pieces), texts[-1]

        assert asyncio.run(twins()) == ("two?", "three?", "Explain ESRS E2", "Explain ESRS E4")
        assert [record.tenant for record in client.costs.records()] == ["esg"] * 8
        # The client's cache stands before the provider.
        again = llm.chat(asked("Which scope is travel?"))
        assert again.additional_kwargs["cache"] == "exact" and again.additional_kwargs["cost"] == "0"


def test_what_it_says_of_itself():
    with simulated() as client:
        known = ClientLLM(client, "openai/gpt-4o-mini", max_tokens=500).metadata
        assert (known.context_window, known.num_output, known.is_function_calling_model) == (128_000, 500, True)
        own = ClientLLM(client, "report", context_window=9000, is_function_calling_model=False).metadata
        assert (own.context_window, own.is_function_calling_model, own.is_chat_model) == (9000, False, True)
        assert own.model_name == "report" and "client" not in ClientLLM(client, "report").to_dict()


def test_tools_are_called_and_their_results_go_back():
    replies = [with_calls(("emissions", '{"year": 2023}')), whole("12 t.")]
    with RawServer(*replies) as server, client_of(server) as client:
        llm = ClientLLM(client, "openai/gpt-4o-mini")
        first = llm.chat_with_tools([TOOL], "What were they in 2023?", tool_required=True)
        (call,) = llm.get_tool_calls_from_response(first)
        assert (call.tool_id, call.tool_name, call.tool_kwargs) == ("call_0", "emissions", {"year": 2023})
        result = ChatMessage(role="tool", content=emissions(2023), additional_kwargs={"tool_call_id": call.tool_id})
        history = [ChatMessage(role="user", content="What were they in 2023?"), first.message, result]
        last = llm.chat_with_tools([TOOL], chat_history=history)
        assert last.message.content == "12 t."
        with pytest.raises(ValueError, match="asked for no tool"):
            llm.get_tool_calls_from_response(last)
        sent = [request.json for request in server.requests]
    assert sent[0]["tool_choice"] == "required" and sent[0]["parallel_tool_calls"] is False
    assert sent[0]["tools"][0]["function"]["name"] == "emissions"
    assert sent[1]["messages"][1]["tool_calls"][0]["id"] == sent[1]["messages"][2]["tool_call_id"] == "call_0"
    assert sent[1]["messages"][2]["content"] == "2023: 12 t"


def test_one_tool_is_one_though_the_model_asks_for_two():
    two = with_calls(("emissions", '{"year": 2023}'), ("emissions", '{"year": 2024}'))
    with RawServer(two) as server, client_of(server) as client:
        llm = ClientLLM(client, "openai/gpt-4o-mini", cache=False)
        one = llm.predict_and_call([TOOL], "What were they?")
        assert one.response == "2023: 12 t"
        both = llm.predict_and_call([TOOL], "What were they?", allow_parallel_tool_calls=True)
        assert both.response == "2023: 12 t\n\n2024: 12 t"


def test_tool_calls_that_are_streamed_at_once_stay_apart():
    deltas = [
        of_call(0, name="emissions", arguments=""),
        of_call(1, name="emissions", arguments=""),
        of_call(0, arguments='{"year": 20'),
        of_call(1, arguments='{"year": 2024}'),
        of_call(0, arguments="23}"),
    ]
    with RawServer(in_events(*deltas)) as server, client_of(server) as client:
        llm = ClientLLM(client, "openai/gpt-4o-mini")
        seen = [
            [call.tool_kwargs for call in llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False)]
            for piece in llm.stream_chat_with_tools([TOOL], "What were they?", allow_parallel_tool_calls=True)
        ]
    assert seen[-1] == [{"year": 2023}, {"year": 2024}]
    assert [{"year": 20}, {"year": 2024}] in seen


def test_a_structured_answer():
    class Emissions(BaseModel):
        """The emissions of a year."""

        year: int

    from llama_index.core.prompts import PromptTemplate

    with RawServer(with_calls(("Emissions", '{"year": 2023}'))) as server, client_of(server) as client:
        llm = ClientLLM(client, "openai/gpt-4o-mini")
        assert llm.structured_predict(Emissions, PromptTemplate("When?")) == Emissions(year=2023)


def test_what_a_message_holds_reaches_the_provider():
    image = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )
    talk = [
        ChatMessage(role="developer", content="Be brief."),
        ChatMessage(
            role="user",
            blocks=[
                TextBlock(text="Read these."),
                ImageBlock(url="https://example.org/a.png", detail="low"),
                ImageBlock(image=image, image_mimetype="image/png"),
                AudioBlock(audio=b"RIFF\x24\x00", format="wav"),
                DocumentBlock(data=b"%PDF-1.7", title="report.pdf", document_mimetype="application/pdf"),
            ],
        ),
        ChatMessage(
            role="chatbot",
            blocks=[ThinkingBlock(content="Hm."), ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={"a": 1})],
        ),
        ChatMessage(role="tool", content="2", additional_kwargs={"tool_call_id": "c"}),
    ]
    with RawServer(whole("Read.")) as server, client_of(server) as client:
        ClientLLM(client, "openai/gpt-4o-mini").chat(talk)
        sent = server.requests[0].json["messages"]
    parts = sent[1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url", "input_audio", "file"]
    assert parts[1]["image_url"] == {"url": "https://example.org/a.png", "detail": "low"}
    assert base64.b64decode(parts[2]["image_url"]["url"].partition(",")[2]) == image
    assert base64.b64decode(parts[3]["input_audio"]["data"]) == b"RIFF\x24\x00"
    assert base64.b64decode(parts[4]["file"]["file_data"].partition(",")[2]) == b"%PDF-1.7"
    assert json.loads(sent[2]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert sent[3]["tool_call_id"] == "c"


def test_what_no_call_carries_is_refused_before_it():
    with simulated() as client, pytest.raises(ValueError, match="VideoBlock, which no call can carry"):
        ClientLLM(client, "simulated/echo").chat([ChatMessage(role="user", blocks=[VideoBlock(video=b"a")])])


def test_errors_are_the_clients_own():
    with simulated() as client:
        client.costs.set_budget("0.000001")
        with pytest.raises(headrace.BudgetExceeded):
            ClientLLM(client, "simulated/esg", max_tokens=100_000).complete("What were they?")


def test_an_agent_calls_a_tool_and_answers():
    from llama_index.core.agent.workflow import FunctionAgent

    call = of_call(0, name="emissions", arguments='{"year": 2023}')
    replies = [in_events(call), in_events({"content": "12 t."}, finish="stop")]
    with RawServer(*replies) as server, client_of(server) as client:
        agent = FunctionAgent(tools=[TOOL], llm=ClientLLM(client, "openai/gpt-4o-mini"), system_prompt="Be brief.")

        async def run():
            return str(await agent.run("What were the emissions of 2023?"))

        assert asyncio.run(run()) == "12 t."
        assert server.requests[1].json["messages"][-1]["content"] == "2023: 12 t"
