"""What somebody does on the first day: what works elsewhere works here, or is refused with advice before it costs."""

import asyncio
import enum
from datetime import timedelta

import headrace
import pytest
from headrace import providers
from headrace.providers import OpenAI, OpenAICompatible, Simulated
from raw_server import EVERY_WAY, MODEL, RawServer, client_of, completion, embeddings, http, told

pydantic = pytest.importorskip("pydantic")
QUESTION = "What is GRI 305?"
EMBEDDING = "openai/text-embedding-3-small"


class Plain(enum.Enum):
    SEVEN = 7


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize(
    ("param", "value", "advice"),
    [
        ("stream", True, r"stream\("),
        ("extra_headers", {"x-team": "esg"}, "headers="),
        ("temprature", 0, "temperature"),
        ("max_token", 5, "max_tokens"),
        ("respose_format", {"type": "json_object"}, "response_format"),
    ],
)
def test_a_wrong_parameter_is_refused_with_advice_and_nothing_is_sent(ask, param, value, advice):
    with RawServer() as server, client_of(server) as client:
        with pytest.raises((ValueError, TypeError), match=advice):
            ask(client, QUESTION, **{param: value})
        assert (server.count, client.costs.total, client.costs.records()) == (0, 0, [])


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_an_enum_is_sent_as_its_value_and_what_is_no_json_is_refused(ask):
    with RawServer() as server, client_of(server) as client:
        with pytest.raises((ValueError, TypeError)):
            ask(client, QUESTION, seed=object())
        assert server.count == 0
        ask(client, QUESTION, seed=Plain.SEVEN)
        assert server.requests[0].json["seed"] == 7


def test_parameters_that_are_not_known_reach_the_provider():
    with RawServer() as server, client_of(server) as client:
        client.chat(MODEL, QUESTION, reasoning={"effort": "low"}, extra_body={"temprature": 0, "top_a": 1})
        sent = server.requests[0].json
        assert (sent["reasoning"], sent["temprature"], sent["top_a"]) == ({"effort": "low"}, 0, 1)
        assert "extra_body" not in sent


@pytest.mark.parametrize("way", ["map", "amap"])
def test_one_text_is_no_list_of_questions(way):
    with RawServer() as server, client_of(server) as client:
        with pytest.raises((TypeError, ValueError), match="list"):
            ask = getattr(client, way)("What?", model=MODEL)
            asyncio.run(ask) if way == "amap" else None
        assert server.count == 0


@pytest.mark.parametrize("way", ["embed", "aembed"])
def test_one_text_to_embed_is_one_call(way):
    with RawServer(embeddings()) as server, client_of(server) as client:
        made = getattr(client, way)(EMBEDDING, "text")
        assert (asyncio.run(waited(made)) if way == "aembed" else made).shape == (1, 2)
        assert [request.json["input"] for request in server.requests] in (["text"], [["text"]])


async def waited(awaitable):
    return await awaitable


@pytest.mark.parametrize("wrong", [{"errors": "retrun"}, {"concurrency": 0}, {"concurrency": -1}, {"concurrency": 1.5}])
@pytest.mark.parametrize("way", ["map", "amap"])
def test_a_wrong_argument_of_map_is_refused_at_once(way, wrong):
    with RawServer() as server, client_of(server) as client:
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            ask = getattr(client, way)(["a?", "b?"], model=MODEL, **wrong)
            asyncio.run(ask) if way == "amap" else None
        assert server.count == 0


@pytest.mark.parametrize("way", ["map", "amap"])
def test_an_empty_prompt_of_many_is_an_error_in_its_place(way):
    with RawServer() as server, client_of(server) as client:
        outcomes = getattr(client, way)(["a?", "", "b?"], model=MODEL, errors="return")
        outcomes = asyncio.run(outcomes) if way == "amap" else outcomes
        assert [outcome.text for outcome in (outcomes[0], outcomes[2])] == ["An answer."] * 2
        assert isinstance(outcomes[1], ValueError)
        assert server.count == 2


def test_headers_of_a_provider_are_sent_with_every_request():
    with RawServer(told(), embeddings()) as server:
        provider = OpenAICompatible(server.url, name="openai", api_key="sk-a", headers={"x-team": "esg", "x-n": "1"})
        with headrace.Client([provider]) as client:
            client.chat(MODEL, QUESTION)
            client.embed(EMBEDDING, ["a"])
        for request in server.requests:
            assert (request.headers["x-team"], request.headers["x-n"]) == ("esg", "1")
            assert request.headers["authorization"] == "Bearer sk-a"


def test_the_organization_and_the_project_are_sent():
    with RawServer() as server:
        provider = OpenAI(
            "sk-a", base_url=server.url, organization="org-1", project="proj-2", headers={"x-team": "esg"}
        )
        with headrace.Client([provider]) as client:
            client.chat(MODEL, QUESTION)
        sent = server.requests[0].headers
        assert (sent["openai-organization"], sent["openai-project"], sent["x-team"]) == ("org-1", "proj-2", "esg")


@pytest.mark.parametrize("headers", [{"x-team": "a\nb"}, {"x team": "a"}, {"": "a"}])
def test_a_header_that_cannot_be_sent_is_refused(headers):
    with pytest.raises(headrace.ConfigError, match="header"):
        OpenAICompatible("http://127.0.0.1:9/v1", headers=headers)


@pytest.mark.parametrize("read_timeout", [0.3, timedelta(seconds=0.3)])
@pytest.mark.parametrize("of", ["OpenAI", "DeepSeek"])
def test_the_read_timeout_of_a_provider_holds(of, read_timeout, never):
    with RawServer([never]) as server:
        provider = getattr(providers, of)("sk-a", base_url=server.url, read_timeout=read_timeout)
        with headrace.Client([provider], max_attempts=1) as client, pytest.raises(headrace.ProviderUnavailable):
            client.chat(f"{provider.name}/gpt-4o-mini", QUESTION)


@pytest.fixture
def never():
    import threading

    return threading.Event()


class Message(pydantic.BaseModel):
    role: str
    content: str


class Answer(pydantic.BaseModel):
    scope: int
    why: str = "bought"


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_pydantic_message_is_a_message(ask):
    with RawServer() as server, client_of(server) as client:
        assert ask(client, [Message(role="user", content=QUESTION)]).text == "An answer."
        assert server.requests[0].json["messages"] == [{"role": "user", "content": QUESTION}]
        assert client.chat(MODEL, QUESTION).cache == "exact"


def test_the_message_of_an_openai_reply_is_a_message():
    openai = pytest.importorskip("openai")
    message = openai.types.chat.ChatCompletionMessage(role="assistant", content="It asks for emissions.")
    asked = {"role": "user", "content": QUESTION}
    with RawServer() as server, client_of(server) as client:
        client.chat(MODEL, [asked, message, {"role": "user", "content": "Of which scopes?"}])
        assert server.requests[0].json["messages"][1]["content"] == "It asks for emissions."


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_pydantic_model_as_the_form_of_the_answer_gives_an_instance(ask):
    with RawServer(told('{"scope": 2, "why": "bought"}')) as server, client_of(server) as client:
        answer = ask(client, QUESTION, response_format=Answer)
        assert answer.parsed == Answer(scope=2)
        form = server.requests[0].json["response_format"]
        assert (form["type"], form["json_schema"]["name"]) == ("json_schema", "Answer")
        assert set(form["json_schema"]["schema"]["properties"]) == {"scope", "why"}
        again = client.chat(MODEL, QUESTION, response_format=Answer)
        assert (again.parsed, again.cache) == (Answer(scope=2), "exact")


def test_an_answer_that_is_not_of_the_form_is_given_without_an_instance():
    with RawServer(told("It is scope 2.")) as server, client_of(server) as client:
        answer = client.chat(MODEL, QUESTION, response_format=Answer)
        assert (answer.text, answer.parsed) == ("It is scope 2.", None)
        assert client.costs.total == answer.cost > 0


def test_every_answer_of_a_map_has_its_instance():
    with RawServer(told('{"scope": 2}')) as server, client_of(server) as client:
        answers = client.map(["a?", "b?"], model=MODEL, response_format=Answer)
        assert [answer.parsed for answer in answers] == [Answer(scope=2)] * 2


def test_one_provider_needs_no_list():
    with headrace.Client(Simulated(time_to_first_token=0)) as client:
        assert client.chat("simulated/echo", QUESTION).text == QUESTION


@pytest.mark.parametrize("wrong", ["openai", 3, [], ["openai"], [None]])
def test_what_is_no_provider_is_refused_with_advice(wrong):
    with pytest.raises((headrace.ConfigError, TypeError), match="provider"):
        headrace.Client(wrong)


def test_an_anthropic_key_in_the_environment_is_seen(monkeypatch):
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    assert "anthropic" in repr(headrace.Client())
    assert "canary" not in repr(headrace.Client())


def test_anthropic_is_asked_in_its_own_protocol():
    body = {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-5-haiku-20241022",
        "content": [
            {"type": "thinking", "thinking": "Emissions.", "signature": "s"},
            {"type": "text", "text": "Emissions."},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 4},
    }
    with RawServer(http(200, body), http(200, completion("never"))) as server:
        with headrace.Client([providers.Anthropic("sk-ant-1", base_url=server.url)]) as client:
            answer = client.chat("anthropic/claude-3-5-haiku-20241022", QUESTION)
            assert (answer.text, answer.reasoning, answer.finish_reason) == ("Emissions.", "Emissions.", "stop")
            assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.estimated) == (9, 4, False)
        [request] = server.requests
        assert request.line == "POST /v1/messages HTTP/1.1"
        assert request.headers["x-api-key"] == "sk-ant-1"
        assert "anthropic-version" in request.headers
        assert request.json["messages"][0]["role"] == "user"
        assert request.json["max_tokens"] > 0


@pytest.mark.parametrize("of_tenants", [{"a*": {"concurrency": 1}}, {"": {"concurrency": 1}}, {"acme": 4}, {4: {}}])
def test_limits_that_would_hold_for_nobody_are_refused(of_tenants):
    with pytest.raises(headrace.ConfigError, match="tenant"):
        headrace.Client(headrace.providers.Simulated(), limits={"tenant": of_tenants})
