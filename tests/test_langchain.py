"""LangChain in the process: its chat model before a client, and its cache of answers in a semantic cache."""

import asyncio

import headrace
import pytest
from endpoint_ways import simulated
from pydantic import BaseModel
from raw_server import RawServer, client_of, completion, http

openai = pytest.importorskip("openai")
pytest.importorskip("langchain_openai")
pytestmark = pytest.mark.filterwarnings("ignore")

from headrace.langchain import AnswerCache, chat_model  # noqa: E402
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage  # noqa: E402


def test_a_chat_model_is_answered_by_the_client_in_every_way():
    with simulated() as client:
        model = chat_model(client, "simulated/echo")
        reply = model.invoke("Which scope is travel?")
        assert reply.content == "Which scope is travel?"
        assert reply.usage_metadata["total_tokens"] > 0
        assert "".join(piece.content for piece in model.stream("Explain ESRS E1")) == "Explain ESRS E1"
        assert [one.content for one in model.batch(["one?", "two?"])] == ["one?", "two?"]

        async def both():
            return [
                (await model.ainvoke("three?")).content,
                "".join([piece.content async for piece in model.astream("Explain ESRS E2")]),
            ]

        assert asyncio.run(both()) == ["three?", "Explain ESRS E2"]
        assert len(client.costs.records()) == 6
        # The client's cache stands before the provider.
        model.invoke("Which scope is travel?")
        assert client.costs.records()[-1].cost == 0


def test_tools_and_structured_output():
    class Emissions(BaseModel):
        """The emissions of a year."""

        year: int

    with simulated() as client:
        model = chat_model(client, "simulated/esg")
        called = model.bind_tools([Emissions], tool_choice="required").invoke("What were they?")
        assert called.tool_calls[0]["name"] == "Emissions"
    with RawServer(http(200, completion('{"year": 2023}'))) as server, client_of(server) as client:
        shaped = chat_model(client, "openai/gpt-4o-mini").with_structured_output(Emissions)
        assert shaped.invoke("When?") == Emissions(year=2023)


def test_a_budget_that_is_spent_reaches_langchains_caller():
    with simulated() as client:
        client.costs.set_budget("0.000001")
        with pytest.raises(openai.APIStatusError, match="does not fit the budget"):
            chat_model(client, "simulated/esg", max_tokens=100_000).invoke("What were they?")


def asked(messages, cache, model="simulated/echo"):
    with simulated() as client:
        answer = chat_model(client, model, cache=AnswerCache(cache)).invoke(messages).content
        return answer, len(client.costs.records())


def test_an_answer_is_kept_for_the_same_question_and_settings_alone():
    cache = headrace.SemanticCache()
    talk = [SystemMessage("Be brief."), HumanMessage("Which scope is travel?")]
    assert asked(talk, cache)[1] == 1
    # No call of the client: the answer comes from LangChain's cache.
    assert asked(talk, cache) == ("Which scope is travel?", 0)
    assert asked([SystemMessage("Be long."), talk[1]], cache)[1] == 1
    assert asked(talk, cache, "simulated/esg")[1] == 1
    assert asked([HumanMessage("Which scope is heat?")], cache)[1] == 1


def test_a_conversation_that_ends_in_no_question_is_answered_by_its_equal_alone():
    cache = headrace.SemanticCache(lambda texts: [[1.0, 0.0]] * len(texts), guards=False)
    talk = [HumanMessage("Which scope is travel?"), AIMessage("Scope 3.")]
    assert asked(talk, cache)[1] == 1
    assert asked(talk, cache)[1] == 0
    assert asked([*talk[:1], AIMessage("Scope 1.")], cache)[1] == 1


def test_an_answer_outlives_the_process_and_can_be_forgotten(tmp_path):
    url = f"sqlite:///{tmp_path}/answers.db"
    assert asked("Which scope is travel?", headrace.SemanticCache(url=url))[1] == 1
    cache = headrace.SemanticCache(url=url)
    assert asked("Which scope is travel?", cache) == ("Which scope is travel?", 0)
    AnswerCache(cache).clear()
    assert asked("Which scope is travel?", cache)[1] == 1


def test_the_twins_of_the_cache():
    from langchain_core.outputs import Generation

    async def all_of_it():
        answers = AnswerCache(headrace.SemanticCache())
        await answers.aupdate("What is scope 2?", "model=a", [Generation(text="Purchased energy.")])
        found = await answers.alookup("What is scope 2?", "model=a")
        await answers.aclear()
        return found[0].text, await answers.alookup("What is scope 2?", "model=a")

    assert asyncio.run(all_of_it()) == ("Purchased energy.", None)
