"""Usage from the objects that the providers' own SDKs give, whole and streamed. What is not installed is skipped."""

from types import SimpleNamespace

import pytest
from headrace import Usage


def test_openai_chat() -> None:
    types = pytest.importorskip("openai.types.chat")
    head = {"id": "x", "created": 1, "model": "gpt-4o"}
    told = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    expected = Usage(10, 5, 4, reasoning_tokens=2, input_audio_tokens=1, service_tier="priority")
    whole = types.ChatCompletion.model_validate(
        {**head, "object": "chat.completion", "choices": [], "service_tier": "priority", "usage": told}
    )
    assert Usage.from_response(whole) == expected
    chunk = {**head, "object": "chat.completion.chunk", "service_tier": "priority"}
    stream = [
        types.ChatCompletionChunk.model_validate({**chunk, "choices": [{"index": 0, "delta": {"content": "hi"}}]}),
        types.ChatCompletionChunk.model_validate({**chunk, "choices": [], "usage": told}),
    ]
    assert Usage.from_response(stream) == expected


def test_openai_responses() -> None:
    types = pytest.importorskip("openai.types.responses")
    told = types.response_usage.ResponseUsage.model_validate(
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5},
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 175,
        }
    )
    whole = types.Response.model_construct(id="r", model="gpt-5", usage=told, service_tier="flex")
    expected = Usage(75, 100, 20, 5, 64, service_tier="flex")
    assert Usage.from_response(whole) == expected
    last = types.ResponseCompletedEvent.model_construct(type="response.completed", response=whole, sequence_number=3)
    assert Usage.from_response([last]) == expected


def test_openai_realtime_and_batch_files() -> None:
    realtime = {
        "type": "response.done",
        "response": {
            "usage": {
                "input_tokens": 100,
                "output_tokens": 40,
                "input_token_details": {"cached_tokens": 30, "text_tokens": 40, "audio_tokens": 60},
                "output_token_details": {"text_tokens": 10, "audio_tokens": 30},
            }
        },
    }
    assert Usage.from_response(realtime) == Usage(100, 40, 30, input_audio_tokens=60, output_audio_tokens=30)
    line = {"custom_id": "a", "response": {"body": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}}}
    assert Usage.from_response(line) == Usage(3, 4)


def test_anthropic() -> None:
    types = pytest.importorskip("anthropic.types")
    whole = types.Message.model_validate(
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 3,
                "output_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
                "service_tier": "batch",
            },
        }
    )
    parts = {"cache_write_1h_tokens": 20, "searches": 2, "batch": True}
    assert Usage.from_response(whole) == Usage(133, 5, 100, 30, **parts)
    delta = types.MessageDeltaUsage.model_construct(output_tokens=50, input_tokens=None, cache_read_input_tokens=None)
    stream = [
        types.RawMessageStartEvent.model_construct(type="message_start", message=whole),
        types.RawMessageDeltaEvent.model_construct(type="message_delta", usage=delta),
    ]
    assert Usage.from_response(stream) == Usage(133, 50, 100, 30, **parts)


def test_gemini() -> None:
    types = pytest.importorskip("google.genai.types")
    told = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 200,
        "thoughtsTokenCount": 150,
        "toolUsePromptTokenCount": 7,
        "totalTokenCount": 1357,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}, {"modality": "TEXT", "tokenCount": 700}],
        "trafficType": "ON_DEMAND_FLEX",
    }
    whole = types.GenerateContentResponse.model_validate({"candidates": [], "usageMetadata": told})
    expected = Usage(1007, 350, 400, reasoning_tokens=150, input_audio_tokens=300, service_tier="flex")
    assert Usage.from_response(whole) == expected
    first = types.GenerateContentResponse.model_validate({"usageMetadata": {**told, "candidatesTokenCount": 1}})
    assert Usage.from_response([first, whole]) == expected


def test_mistral() -> None:
    types = pytest.importorskip("mistralai.client.models")
    told = {"prompt_tokens": 13, "completion_tokens": 26, "total_tokens": 39, "num_cached_tokens": 5}
    head = {"id": "x", "object": "chat.completion", "model": "m", "created": 1, "choices": []}
    whole = types.ChatCompletionResponse.model_validate({**head, "usage": told})
    assert Usage.from_response(whole) == Usage(13, 26, 5)
    event = types.CompletionEvent.model_validate({"data": {"id": "x", "model": "m", "choices": [], "usage": told}})
    assert Usage.from_response([event]) == Usage(13, 26, 5)


def test_xai() -> None:
    proto = pytest.importorskip("xai_sdk.proto").usage_pb2
    told = proto.SamplingUsage(
        prompt_tokens=100,
        completion_tokens=50,
        reasoning_tokens=200,
        total_tokens=350,
        cached_prompt_text_tokens=64,
    )

    class Response:
        """xAI's response has its usage as a property over a message of protocol buffers."""

        @property
        def usage(self) -> object:
            return told

    assert Usage.from_response(Response()) == Usage(100, 250, 64, reasoning_tokens=200)


def test_bedrock() -> None:
    boto3, stub = pytest.importorskip("boto3"), pytest.importorskip("botocore.stub")
    keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = boto3.client("bedrock-runtime", **keys)
    told = {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30, "cacheReadInputTokens": 100}
    told["cacheWriteInputTokens"] = 50
    reply = {
        "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
        "stopReason": "end_turn",
        "usage": told,
        "metrics": {"latencyMs": 3},
        "serviceTier": {"type": "flex"},
    }
    with stub.Stubber(client) as stubbed:
        stubbed.add_response("converse", reply)
        whole = client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hello"}]}])
    assert Usage.from_response(whole) == Usage(160, 20, 100, 50, service_tier="flex")
    stream = [{"messageStart": {"role": "assistant"}}, {"metadata": {"usage": told, "metrics": {"latencyMs": 3}}}]
    assert Usage.from_response(stream) == Usage(160, 20, 100, 50)


def test_an_object_that_holds_usage_beside_other_things() -> None:
    usage = SimpleNamespace(prompt_tokens=5, completion_tokens=7)
    reply = SimpleNamespace(usage=usage, service_tier="flex", choices=[object()])
    assert Usage.from_response(reply) == Usage(5, 7, service_tier="flex")
