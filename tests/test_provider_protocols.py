"""Gemini, OpenAI's Responses and Azure over bare sockets: what is sent, and what is made of what comes."""

from pathlib import Path

import headrace
import pydantic
import pytest
from headrace import providers
from raw_server import RawServer, by_way, error, http, sse, streamed

QUESTION = "What is scope 2?"
ANSWER = "Bought electricity."
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]

GEMINI_USAGE = {
    "promptTokenCount": 12,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 20,
}


def gemini(parts, finish=None, usage=None, **more):
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    told = {} if usage is None else {"usageMetadata": usage}
    ended = {} if finish is None else {"finishReason": finish}
    named = {"responseId": "r1", "modelVersion": "gemini-3-flash"}
    return {"candidates": [{**candidate, **ended}], **named, **told, **more}


def by_line(one, other):
    """One reply to a stream of Gemini's, whose path says what it is, another to what is asked for whole."""
    return lambda request: one if "stream" in request.line else other


def gemini_client(server):
    return headrace.Client([providers.Gemini("secret-key", base_url=server.url)], max_attempts=1)


def ask(client, model, stream, question=QUESTION, **params):
    if not stream:
        return client.chat(model, question, **params)
    told = client.stream(model, question, **params)
    for _ in told:
        pass
    return told.response


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_is_asked_in_its_own_protocol(stream):
    thought = {"thought": True, "text": "Think."}
    whole = gemini([thought, {"text": ANSWER}], "STOP", GEMINI_USAGE)
    pieces = [
        gemini([thought]),
        gemini([{"text": "Bought "}]),
        gemini([{"text": "electricity."}], "STOP", GEMINI_USAGE),
    ]
    with RawServer(by_line(streamed(sse(*pieces)), http(200, whole))) as server, gemini_client(server) as client:
        answer = ask(client, "gemini/gemini-3-flash", stream, reasoning_effort="low", max_tokens=50, seed=7)
        assert (answer.text, answer.reasoning, answer.finish_reason) == (ANSWER, "Think.", "stop")
        usage = answer.usage
        assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (12, 8, 4)
        assert usage.reasoning_tokens == 3
        request = server.requests[0]
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        assert request.line == f"POST /v1/models/gemini-3-flash:{method} HTTP/1.1"
        assert request.headers["x-goog-api-key"] == "secret-key"
        assert "authorization" not in request.headers
        assert request.json["contents"] == [{"role": "user", "parts": [{"text": QUESTION}]}]
        config = request.json["generationConfig"]
        assert config["thinkingConfig"] == {"includeThoughts": True, "thinkingLevel": "low"}
        assert (config["maxOutputTokens"], config["seed"]) == (50, 7)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_of_gemini_keeps_its_proof_through_a_conversation(stream):
    call = {"functionCall": {"name": "look", "args": {"year": 2023}}, "thoughtSignature": "c2ln"}
    reply = gemini([call], "STOP", GEMINI_USAGE)
    with RawServer(by_line(streamed(sse(reply)), http(200, reply))) as server, gemini_client(server) as client:
        answer = ask(client, "gemini/gemini-3-flash", stream, tools=TOOLS, tool_choice="required")
        assert answer.finish_reason == "tool_calls"
        [made] = answer.tool_calls
        assert (made.name, made.parse()) == ("look", {"year": 2023})
        result = {"role": "tool", "tool_call_id": made.id, "content": "1204 t"}
        messages = [{"role": "user", "content": QUESTION}, answer.message, result]
        client.chat("gemini/gemini-3-flash", messages, tools=TOOLS)
        _, model, results = server.requests[-1].json["contents"]
        assert model["parts"][0]["thoughtSignature"] == "c2ln"
        given = results["parts"][0]["functionResponse"]
        assert (given["name"], given["response"]) == ("look", {"output": "1204 t"})


@pytest.mark.parametrize("stream", [False, True])
def test_what_gemini_holds_back_is_no_answer(stream):
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
    }
    with RawServer(by_line(streamed(sse(blocked)), http(200, blocked))) as server, gemini_client(server) as client:
        answer = ask(client, "gemini/gemini-3-flash", stream)
        assert (answer.text, answer.finish_reason) == ("", "content_filter")
        assert answer.usage.input_tokens == 9


def test_an_error_of_geminis_is_what_its_code_says():
    body = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}
    with (
        RawServer(error(429, body)) as server,
        gemini_client(server) as client,
        pytest.raises(headrace.RateLimited, match="Quota exceeded"),
    ):
        client.chat("gemini/gemini-3-flash", QUESTION)


def test_gemini_makes_vectors():
    reply = {"embeddings": [{"values": [1.0, 0.0]}, {"values": [0.0, 1.0]}]}
    with RawServer(http(200, reply)) as server, gemini_client(server) as client:
        made = client.embed("gemini/gemini-embedding-001", ["a", "b"])
        assert made.tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert server.requests[0].line == "POST /v1/models/gemini-embedding-001:batchEmbedContents HTTP/1.1"


RESPONSES_USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 20,
}


def response(output, status="completed", **more):
    return {"id": "resp_1", "object": "response", "model": "gpt-5", "status": status, "output": output, **more}


def responses_client(server):
    provider = providers.OpenAI("sk-test", base_url=server.url, protocol="openai_responses")
    return headrace.Client([provider], max_attempts=1)


@pytest.mark.parametrize("stream", [False, True])
def test_openai_is_asked_in_responses(stream):
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": ANSWER, "annotations": []}],
    }
    end = response([message], usage=RESPONSES_USAGE)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.created", "response": response([], "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
        {"type": "response.output_text.delta", **place, "delta": "Bought "},
        {"type": "response.output_text.delta", **place, "delta": "electricity."},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": end},
    ]
    with RawServer(by_way(streamed(sse(*events)), http(200, end))) as server, responses_client(server) as client:
        answer = ask(client, "openai/gpt-5", stream, max_tokens=50, reasoning_effort="low", verbosity="low")
        assert (answer.text, answer.finish_reason) == (ANSWER, "stop")
        assert (answer.usage.input_tokens, answer.usage.cached_input_tokens, answer.usage.reasoning_tokens) == (
            12,
            4,
            3,
        )
        request = server.requests[0]
        assert request.line == "POST /v1/responses HTTP/1.1"
        assert request.json["input"] == [{"type": "message", "role": "user", "content": QUESTION}]
        assert request.json["max_output_tokens"] == 50
        assert (request.json["reasoning"], request.json["text"]) == ({"effort": "low"}, {"verbosity": "low"})


def test_a_failed_response_is_an_error():
    failed = response([], "failed", error={"code": "rate_limit_exceeded", "message": "Slow down."})
    events = [
        {"type": "response.created", "response": response([], "in_progress")},
        {"type": "response.failed", "response": failed},
    ]
    with RawServer(by_way(streamed(sse(*events)), http(200, failed))) as server, responses_client(server) as client:
        for stream in [False, True]:
            with pytest.raises(headrace.RateLimited, match="Slow down"):
                ask(client, "openai/gpt-5", stream)


def test_what_responses_cannot_say_is_refused_before_it_is_sent():
    with RawServer() as server, responses_client(server) as client:
        with pytest.raises(ValueError, match="seed is given"):
            client.chat("openai/gpt-5", QUESTION, seed=7)
        assert server.count == 0


def test_azure_names_the_deployment_in_its_address():
    with RawServer() as server:
        endpoint = server.url.removesuffix("/v1")
        azure = providers.AzureOpenAI(endpoint, "secret-key", api_version="2024-10-21")
        with headrace.Client([azure], max_attempts=1) as client:
            assert client.chat("azure/our gpt", QUESTION, max_tokens=9).text == "An answer."
        request = server.requests[0]
        path = "/openai/deployments/our%20gpt/chat/completions?api-version=2024-10-21"
        assert request.line == f"POST {path} HTTP/1.1"
        assert request.headers["api-key"] == "secret-key"
        assert request.json["max_completion_tokens"] == 9


def test_a_deployment_leads_to_no_other_address():
    with RawServer() as server:
        azure = providers.AzureOpenAI(server.url.removesuffix("/v1"), "secret-key")
        with headrace.Client([azure], max_attempts=1) as client:
            client.chat("azure/../../steal?x=", QUESTION)
        assert server.requests[0].line.startswith("POST /openai/deployments/..%2F..%2Fsteal%3Fx%3D/chat/completions?")


def test_azure_needs_an_endpoint(monkeypatch):
    for variable in ["AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"]:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(headrace.ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        providers.AzureOpenAI(api_key="secret-key")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "secret-key")
    assert "azure" not in [getattr(one, "name", "") for one in providers.from_environment()]
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://acme.openai.azure.com/")
    found = next(one for one in providers.from_environment() if one.name == "azure")
    assert found.base_url == "https://acme.openai.azure.com/openai?***"


def test_a_protocol_that_is_not_known_is_refused():
    with pytest.raises(headrace.ConfigError, match="openai_responses"):
        providers.OpenAICompatible("http://127.0.0.1:1/v1", protocol="grpc")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"tools": [{"name": "look"}]}, r"tools\[0\] is"),
        ({"tools": [3]}, r"tools\[0\] is 3"),
        ({"tools": TOOLS, "tool_choice": "sometimes"}, "tool_choice is"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice is"),
    ],
)
def test_malformed_tools_are_refused(params, words):
    with RawServer() as server, gemini_client(server) as client:
        with pytest.raises(ValueError, match=words):
            client.chat("gemini/gemini-3-flash", QUESTION, **params)
        assert server.count == 0


def test_a_result_without_its_call_is_refused():
    messages = [{"role": "user", "content": QUESTION}, {"role": "tool", "content": "1204 t"}]
    with RawServer() as server, gemini_client(server) as client:
        with pytest.raises(ValueError, match=r"messages\[1\].tool_call_id is missing"):
            client.chat("gemini/gemini-3-flash", messages)
        assert server.count == 0


def test_the_table_of_the_documentation_is_that_of_the_registry():
    page = (Path(__file__).parent.parent / "docs" / "providers.md").read_text()
    for row in providers.known():
        keys = ", ".join(f"`{variable}`" for variable in row.key_variables) or "none: local"
        address = f"`{row.base_url}`" if row.base_url else "yours"
        assert f"| `{row.name}` | {row.title} | `{row.protocol}` | {keys} | {address} |" in page


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_pydantics_is_asked_of_gemini_as_a_schema(stream):
    class Emissions(pydantic.BaseModel):
        tonnes: float

    reply = gemini([{"text": '{"tonnes": 1204}'}], "STOP", GEMINI_USAGE)
    with RawServer(by_line(streamed(sse(reply)), http(200, reply))) as server, gemini_client(server) as client:
        answer = ask(client, "gemini/gemini-3-flash", stream, response_format=Emissions)
        assert answer.parsed == Emissions(tonnes=1204)
        config = server.requests[0].json["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert config["responseJsonSchema"]["properties"]["tonnes"]["type"] == "number"


def test_a_document_goes_to_each_protocol():
    data = "data:application/pdf;base64,JVBERi0="
    content = [
        {"type": "file", "file": {"filename": "report.pdf", "file_data": data}},
        {"type": "text", "text": QUESTION},
    ]
    expected = {
        "openai_chat": lambda body: body["messages"][0]["content"][0]["file"]["file_data"] == data,
        "openai_responses": lambda body: body["input"][0]["content"][0]["file_data"] == data,
        "anthropic": lambda body: body["messages"][0]["content"][0]["source"]["data"] == "JVBERi0=",
        "gemini": lambda body: body["contents"][0]["parts"][0]["inlineData"]["mimeType"] == "application/pdf",
    }
    for protocol, is_there in expected.items():
        with RawServer(error(500, "broken")) as server:
            provider = providers.OpenAICompatible(server.url, name="acme", protocol=protocol)
            with headrace.Client([provider], max_attempts=1) as client, pytest.raises(headrace.ProviderUnavailable):
                client.chat("acme/m", [{"role": "user", "content": content}])
            assert is_there(server.requests[0].json), protocol
