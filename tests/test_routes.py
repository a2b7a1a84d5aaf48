"""Routes: a name for several models, picked by order, price or speed; what they need, what they save."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import headrace
import pytest
from raw_server import EVERY_WAY, MODEL, RawServer, by_chat, by_stream, client_of, embeddings, error, provider_of, told

QUESTION = "What is double materiality?"
DEAR, CHEAP = "openai/gpt-4o", "openai/gpt-4o-mini"


def routes(*models, **settings):
    return {"report": {"models": list(models), **settings}}


def asked(server):
    return [request.json["model"] for request in server.requests]


def ask(client, question=QUESTION, model="report", **call):
    return client.chat(model, question, **call)


@pytest.mark.parametrize("pick", [None, "first"])
def test_the_first_model_is_asked_and_the_others_where_it_fails(pick):
    setting = {} if pick is None else {"pick": pick}
    with RawServer(error(503), told()) as server, client_of(server, routes=routes(DEAR, CHEAP, **setting)) as client:
        assert client.routes == ["report"]
        answer = ask(client)
        assert (answer.model, answer.attempts, asked(server)) == (CHEAP, 2, ["gpt-4o", "gpt-4o-mini"])


def test_the_cheapest_model_is_asked_and_what_it_saved_is_in_the_ledger():
    with RawServer() as server, client_of(server, routes=routes(DEAR, CHEAP, pick="cheapest")) as client:
        answer = ask(client, cache=False)
        assert (answer.model, asked(server)) == (CHEAP, ["gpt-4o-mini"])
        [record] = client.costs.records()
        dear = client.costs.quote(DEAR, answer.usage).cost
        assert record.saved == answer.saved_cost == dear - answer.cost > 0
        [group] = client.costs.summary(by=("model",))
        assert (group["saved"], group["cost"]) == (record.saved, answer.cost)
        # A model that was asked for by its own name saves nothing.
        assert ask(client, "Another?", model=CHEAP).saved_cost == 0


def test_what_a_route_saved_is_kept_in_a_file(tmp_path):
    url = f"sqlite:///{tmp_path / 'costs.db'}"
    costs = headrace.CostTracker(url=url)
    with RawServer() as server:
        client = client_of(server, routes=routes(DEAR, CHEAP, pick="cheapest"), costs=costs)
        saved = ask(client).saved_cost
        client.close()
    again = headrace.CostTracker(url=url)
    assert [record.saved for record in again.records()] == [saved] != [0]
    assert sum(group["saved"] for group in again.summary(by=("model",))) == saved


def test_the_cheapest_is_so_for_this_request():
    prices = headrace.PriceTable.builtin()
    prices.set("openai/reader", input=Decimal(1), output=Decimal(100))
    prices.set("openai/writer", input=Decimal(10), output=Decimal(1))
    costs = headrace.CostTracker(prices=prices)
    picked = routes("openai/reader", "openai/writer", pick="cheapest")
    with RawServer() as server, client_of(server, routes=picked, costs=costs) as client:
        assert ask(client, "word " * 5000, max_tokens=5).model == "openai/reader"
        assert ask(client, "Write a report.", max_tokens=4000).model == "openai/writer"


def test_the_answers_seen_tell_what_output_is_expected():
    prices = headrace.PriceTable.builtin()
    prices.set("openai/reader", input=Decimal(1), output=Decimal(100))
    prices.set("openai/writer", input=Decimal(10), output=Decimal(1))
    costs = headrace.CostTracker(prices=prices)
    picked = routes("openai/reader", "openai/writer", pick="cheapest")
    short = told(usage={"prompt_tokens": 900, "completion_tokens": 1, "total_tokens": 901})
    with RawServer(short) as server, client_of(server, routes=picked, costs=costs) as client:
        models = [ask(client, f"{n} " + "word " * 900).model for n in range(60)]
    assert (models[0], models[-1]) == ("openai/writer", "openai/reader")


@pytest.mark.parametrize("way", [by_chat, by_stream])
def test_the_fastest_model_is_asked_once_each_was_seen(way):
    gate, slow = threading.Event(), threading.Event()

    def late(request):
        slow.set()
        return [gate, *told()(request)]

    def ask_both(client):
        with ThreadPoolExecutor() as pool:
            # Each is looked at once: the second call does not wait for the first.
            first = pool.submit(way_of, client, "1?")
            assert slow.wait(60)
            assert way_of(client, "2?").model == "quick/m"
            threading.Timer(0.3, gate.set).start()
            return first.result()

    def way_of(client, question):
        if way is by_chat:
            return client.chat("report", question)
        stream = client.stream("report", question)
        for _ in stream:
            pass
        return stream.response

    with RawServer(late) as tardy, RawServer() as quick:
        providers = [provider_of(tardy, "tardy"), provider_of(quick, "quick")]
        with headrace.Client(providers, routes=routes("tardy/m", "quick/m", pick="fastest")) as client:
            assert ask_both(client).model == "tardy/m"
            assert {way_of(client, f"{n}?").model for n in range(3, 23)} == {"quick/m"}


def test_a_model_without_what_is_needed_is_passed_over():
    needs = routes("openai/gpt-3.5-turbo", CHEAP, needs=["vision", "tools", "schema", "context"])
    with RawServer() as server, client_of(server, routes=needs) as client:
        assert ask(client).model == CHEAP
    with RawServer() as server, pytest.raises(headrace.ConfigError, match="vision"):
        client_of(server, routes=routes("openai/gpt-3.5-turbo", needs=["vision"]))


def test_a_model_that_cannot_hold_the_context_is_passed_over():
    long = "word " * 20_000
    with RawServer() as server, client_of(server, routes=routes("openai/gpt-4", CHEAP)) as client:
        assert [ask(client).model, ask(client, long).model] == ["openai/gpt-4", CHEAP]
    with RawServer() as server, client_of(server, routes=routes("openai/gpt-4")) as client:
        with pytest.raises(headrace.ContextLengthExceeded, match="report"):
            ask(client, long)
        assert server.count == 0
    both = {"routes": routes("openai/gpt-4"), "fallbacks": {"report": [CHEAP]}}
    with RawServer() as server, client_of(server, **both) as client:
        assert ask(client, long).model == CHEAP


def test_routes_and_fallbacks_stand_for_one_another():
    named = {"small": {"models": [CHEAP]}, "large": {"models": [DEAR]}}
    with (
        RawServer(error(503), told(), error(503), told()) as server,
        client_of(server, routes=named, fallbacks={"large": ["small"], MODEL: ["large"]}) as client,
    ):
        assert ask(client, model="large", cache=False).model == CHEAP
        assert asked(server) == ["gpt-4o", "gpt-4o-mini"]
        assert ask(client, model=MODEL, cache=False).model == DEAR


@pytest.mark.parametrize("way", EVERY_WAY[1:])
def test_a_route_is_cached_and_streamed_as_a_model_is(way):
    with RawServer() as server, client_of(server, routes=routes(CHEAP)) as client:
        assert ask(client).cache is None
        assert ask(client).cache == "exact"
        stream = client.stream("report", "Another?")
        assert "".join(chunk.text for chunk in stream) == "An answer."
        assert stream.response.model == CHEAP
        assert way(client, QUESTION).cache is None
        assert server.count == 3


def test_vectors_have_routes_as_well():
    with (
        RawServer(error(503), embeddings(1)) as server,
        client_of(server, routes=routes("openai/text-embedding-3-small", "openai/text-embedding-3-large")) as client,
    ):
        assert client.embed("report", "scope 2").shape == (1, 2)
        assert asked(server) == ["text-embedding-3-small", "text-embedding-3-large"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"report": {"models": ["nobody/m"]}}, "nobody/m"),
        ({"report": {"models": ["gpt-4o"]}}, "gpt-4o"),
        ({"report": {"models": []}}, "empty"),
        ({"report": {"models": MODEL}}, "list"),
        ({"report": {}}, "list"),
        ({"report": [MODEL]}, "dict"),
        ({"report": {"models": [MODEL], "pick": "best"}}, "cheapest"),
        ({"report": {"models": [MODEL], "needs": "vision"}}, "list"),
        ({"report": {"models": [MODEL], "needs": ["telepathy"]}}, "telepathy"),
        ({"report": {"models": [MODEL], "order": []}}, "order"),
        ({"": {"models": [MODEL]}}, "name"),
        ({MODEL: {"models": [MODEL]}}, "name"),
        ([MODEL], "dict"),
    ],
)
def test_a_route_that_could_not_be_asked_is_refused(given, words):
    with RawServer() as server, pytest.raises(headrace.ConfigError, match=words):
        client_of(server, routes=given)


def test_an_unknown_model_is_told_the_routes():
    with RawServer() as server, client_of(server, routes=routes(MODEL)) as client:
        with pytest.raises(headrace.UnknownModel, match="report"):
            ask(client, model="reprot")
        with pytest.raises(headrace.ConfigError, match="reprot"):
            client_of(server, routes=routes(MODEL), fallbacks={"report": ["reprot"]})
