"""Usage from the replies of providers, each with its own rule."""

import copy
import json
import pickle
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from headrace import BudgetExceeded, CostTracker, Usage
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
REPLIES = json.loads((DATA / "provider_replies.json").read_text())
FIELDS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
}
# Of the recording that comes without: Gemini with audio in it.
AUDIO = {
    "input_tokens": 1000,
    "output_tokens": 350,
    "cache_read_tokens": 400,
    "output_reasoning_tokens": 150,
    "input_audio_tokens": 300,
}


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: f"{reply['provider']}-{reply['flavor']}")
def test_replies_are_read_with_one_meaning(reply: dict) -> None:
    usage = Usage.from_response(reply["raw"])
    for theirs, ours in FIELDS.items():
        assert getattr(usage, ours) == reply.get("usage", AUDIO).get(theirs, 0), ours
    assert Usage.from_response(json.dumps(reply["raw"])) == usage
    assert Usage.from_response(json.dumps(reply["raw"]).encode()) == usage
    assert (
        Usage.from_response(json.loads(json.dumps(reply["raw"]), object_hook=lambda fields: SimpleNamespace(**fields)))
        == usage
    )


@pytest.mark.parametrize(
    "reply",
    [reply for reply in REPLIES if "usd" in reply and reply["provider"] not in ("deepseek", "mistral")],
    ids=lambda reply: f"{reply['provider']}-{reply['flavor']}",
)
def test_replies_are_priced(reply: dict) -> None:
    # Not DeepSeek and Mistral: there LiteLLM has lowered its prices since, and the table follows it.
    provider = {"aws": "bedrock", "x-ai": "xai"}.get(reply["provider"], reply["provider"])
    model = reply["raw"]["model"]
    assert CostTracker().quote(f"{provider}/{model}", Usage.from_response(reply["raw"])).cost == Decimal(reply["usd"])


def test_a_stream_is_read_from_its_chunks() -> None:
    anthropic = [
        {
            "type": "message_start",
            "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1}},
        },
        {"type": "message_delta", "usage": {"output_tokens": 40}},
    ]
    assert Usage.from_response(anthropic) == Usage(input_tokens=100, cached_input_tokens=90, output_tokens=40)
    openai = [{"choices": [], "usage": None}, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}]
    assert Usage.from_response(tuple(openai)) == Usage(input_tokens=5, output_tokens=7)


def test_an_sdk_object_is_read() -> None:
    openai = pytest.importorskip("openai.types.completion_usage")
    usage = openai.CompletionUsage(prompt_tokens=5, completion_tokens=7, total_tokens=12)
    assert Usage.from_response(SimpleNamespace(usage=usage, choices=[])) == Usage(input_tokens=5, output_tokens=7)


@pytest.mark.parametrize(
    "reply", [{}, {"usage": None}, {"usage": {"prompt_tokens": -1}}, "no json", [], {"usage": {"prompt_tokens": 1.5}}]
)
def test_a_reply_without_usage_is_refused(reply: object) -> None:
    with pytest.raises(ValueError, match="reply"):
        Usage.from_response(reply)


def test_parts_are_never_larger_than_their_whole() -> None:
    with pytest.raises(ValueError, match="at least 15"):
        Usage(input_tokens=10, cached_input_tokens=5, cache_write_tokens=10)
    for count in (-1, 2**64):
        with pytest.raises(ValueError, match=f"input_tokens is {count}: give"):
            Usage(input_tokens=count)


# Replies as they are seen beside the books: what is told twice, told beside its whole, or left out.
ODD_REPLIES = {
    "nulls": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}},
        Usage(10, 5),
    ),
    "long numbers as text": ({"usage": {"prompt_tokens": "10", "completion_tokens": "5"}}, Usage(10, 5)),
    "cached beside the input": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 40}}},
        Usage(50, 5, cached_input_tokens=40),
    ),
    "xai responses": (
        {
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 115,
                "output_tokens_details": {"reasoning_tokens": 100},
            }
        },
        Usage(10, 105, reasoning_tokens=100),
    ),
    "gemini in openai's form": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}},
        Usage(10, 105, reasoning_tokens=100),
    ),
    "a cache that only the total has": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 115,
                "cache_read_input_tokens": 80,
                "cache_creation_input_tokens": 20,
            }
        },
        Usage(110, 5, cached_input_tokens=80, cache_write_tokens=20),
    ),
    "perplexity's research": (
        {
            "usage": {
                "prompt_tokens": 33,
                "completion_tokens": 7163,
                "total_tokens": 7196,
                "citation_tokens": 20016,
                "num_search_queries": 28,
                "reasoning_tokens": 193008,
            }
        },
        Usage(33, 200171, reasoning_tokens=193008, searches=28),
    ),
    "reasoning that the total has no room for": (
        {
            "usage": {
                "prompt_tokens": 40,
                "completion_tokens": 102,
                "total_tokens": 142,
                "completion_tokens_details": {"reasoning_tokens": 109},
            }
        },
        Usage(40, 102, reasoning_tokens=102),
    ),
    "the same of the responses": (
        {
            "usage": {
                "input_tokens": 40,
                "output_tokens": 102,
                "total_tokens": 142,
                "output_tokens_details": {"reasoning_tokens": 109},
            }
        },
        Usage(40, 102, reasoning_tokens=102),
    ),
    "the same of gemini": (
        {
            "usageMetadata": {
                "promptTokenCount": 40,
                "candidatesTokenCount": 102,
                "thoughtsTokenCount": 109,
                "totalTokenCount": 142,
            }
        },
        Usage(40, 102, reasoning_tokens=102),
    ),
    "a total between the two": (
        {
            "usage": {
                "prompt_tokens": 40,
                "completion_tokens": 102,
                "total_tokens": 150,
                "completion_tokens_details": {"reasoning_tokens": 109},
            }
        },
        Usage(40, 110, reasoning_tokens=109),
    ),
    "a cache that the total has no room for": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 40},
            }
        },
        Usage(10, 5, cached_input_tokens=10),
    ),
    "sambanova's rates": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_per_sec": 120.4, "total_time": 0.3}},
        Usage(10, 5),
    ),
    "deepseek behind a proxy": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0},
                "prompt_cache_hit_tokens": 8,
            }
        },
        Usage(10, 5, cached_input_tokens=8),
    ),
    "anthropic behind a proxy": (
        {
            "usage": {
                "prompt_tokens": 110,
                "completion_tokens": 5,
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 80,
            }
        },
        Usage(110, 5, cached_input_tokens=80, cache_write_tokens=20),
    ),
    "groq's last chunk": (
        [{"choices": []}, {"choices": [], "x_groq": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}}],
        Usage(10, 5),
    ),
    "realtime with cached audio": (
        {
            "type": "response.done",
            "response": {
                "usage": {
                    "input_tokens": 1000,
                    "output_tokens": 100,
                    "input_token_details": {
                        "cached_tokens": 640,
                        "audio_tokens": 700,
                        "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 512},
                    },
                    "output_token_details": {"audio_tokens": 80},
                }
            },
        },
        Usage(1000, 100, cached_input_tokens=640, input_audio_tokens=188, output_audio_tokens=80),
    ),
    "gemini with cached audio": (
        {
            "usageMetadata": {
                "promptTokenCount": 100,
                "candidatesTokenCount": 10,
                "thoughtsTokenCount": 20,
                "toolUsePromptTokenCount": 30,
                "cachedContentTokenCount": 50,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 60}],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 45}],
            }
        },
        Usage(130, 30, cached_input_tokens=50, reasoning_tokens=20, input_audio_tokens=15),
    ),
    "gemini live": (
        {
            "usageMetadata": {
                "promptTokenCount": 100,
                "responseTokenCount": 10,
                "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
            }
        },
        Usage(100, 10, output_audio_tokens=10),
    ),
    "gemini grounded": (
        {
            "modelVersion": "gemini-2.5-flash",
            "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 5},
        },
        Usage(100, 5, searches=1),
    ),
    "openai with a search": (
        {
            "usage": {"input_tokens": 100, "output_tokens": 5},
            "output": [{"type": "web_search_call", "action": {"type": "search"}}, {"type": "message"}],
        },
        Usage(100, 5, searches=1),
    ),
    "anthropic's compaction": (
        {
            "usage": {
                "input_tokens": 23,
                "cache_read_input_tokens": 0,
                "output_tokens": 10,
                "iterations": [
                    {"type": "compaction", "input_tokens": 180, "output_tokens": 35},
                    {"type": "message", "input_tokens": 23, "output_tokens": 10},
                ],
            }
        },
        Usage(203, 45),
    ),
    "anthropic with an hour's cache and searches": (
        {
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 300,
                "cache_read_input_tokens": 20,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 7,
                "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
                "service_tier": "batch",
            }
        },
        Usage(325, 7, 20, 300, batch=True, cache_write_1h_tokens=200, searches=3),
    ),
    "anthropic's fast mode": (
        {"usage": {"input_tokens": 5, "output_tokens": 7, "service_tier": "standard", "speed": "fast"}},
        Usage(5, 7, service_tier="fast"),
    ),
    "a line of anthropic's batch": (
        {
            "custom_id": "a",
            "result": {"type": "succeeded", "message": {"usage": {"input_tokens": 5, "output_tokens": 7}}},
        },
        Usage(5, 7),
    ),
    "an embedding": ({"object": "list", "usage": {"total_tokens": 10}}, Usage(10)),
    "the usage alone": ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
    "events as text": (
        'event: x\ndata: {"usage": null}\n\ndata: {"usage": {"prompt_tokens": 5, "completion_tokens": 7}}\n\ndata: [DONE]\n',
        Usage(5, 7),
    ),
    "events as lines": (
        [b'data: {"usage": {"prompt_tokens": 5, "completion_tokens": 7}}', b"", b"data: [DONE]"],
        Usage(5, 7),
    ),
    "nothing used": ({"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}, Usage()),
}


@pytest.mark.parametrize("name", ODD_REPLIES)
def test_odd_replies_are_read_and_can_be_recorded(name: str) -> None:
    reply, expected = ODD_REPLIES[name]
    usage = Usage.from_response(reply)
    assert usage == expected
    assert CostTracker().record("openai/gpt-4o", usage).usage == usage


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -4}},
        {"prompt_tokens": "ten", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"input_tokens": 10, "output_tokens": 1.5},
        {"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": -1}]},
        {"prompt_tokens": 10**30, "completion_tokens": 5},
    ],
)
def test_a_broken_count_is_refused_wherever_it_stands(usage: dict) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        Usage.from_response({"usage": usage})


COUNTS = st.integers(0, 10**6)
REPLIES_OF_SENSE = st.builds(
    lambda usage: {"usage": usage},
    st.fixed_dictionaries(
        {"prompt_tokens": COUNTS, "completion_tokens": COUNTS},
        optional={
            "total_tokens": COUNTS,
            "prompt_tokens_details": st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), COUNTS),
            "completion_tokens_details": st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens"]), COUNTS),
        },
    )
    | st.fixed_dictionaries(
        {"input_tokens": COUNTS, "output_tokens": COUNTS},
        optional={"cache_read_input_tokens": COUNTS, "cache_creation_input_tokens": COUNTS},
    ),
)
REPLIES_OF_NONE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**65) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "usage",
                    "usageMetadata",
                    "prompt_tokens",
                    "completion_tokens",
                    "total_tokens",
                    "prompt_tokens_details",
                    "input_tokens",
                    "output_tokens",
                    "cached_tokens",
                    "reasoning_tokens",
                    "cache_read_input_tokens",
                    "cache_creation_input_tokens",
                    "cache_creation",
                    "ephemeral_1h_input_tokens",
                    "promptTokenCount",
                    "candidatesTokenCount",
                    "thoughtsTokenCount",
                    "cachedContentTokenCount",
                    "inputTokens",
                    "outputTokens",
                    "cacheReadInputTokens",
                    "audio_tokens",
                    "iterations",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(REPLIES_OF_SENSE | REPLIES_OF_NONE)
def test_what_is_read_can_be_recorded_and_is_charged_once(reply: object) -> None:
    try:
        usage = Usage.from_response(reply)
    except (ValueError, TypeError):
        reject()
    quote = CostTracker().quote("openai/gpt-4o", usage)
    tokens = [line["quantity"] for line in quote.lines if line["kind"] not in ("image", "search", "request")]
    assert sum(tokens) == usage.total_tokens


def test_a_usage_can_be_pickled_and_copied() -> None:
    usage = Usage(10, 20, 3, 4, 5, 1, 2, "flex", False, 7, cache_write_1h_tokens=2, images=1, searches=2)
    assert pickle.loads(pickle.dumps(usage)) == copy.deepcopy(usage) == usage
    assert eval(repr(usage), {"Usage": Usage}) == usage


def test_a_call_is_estimated_before_it_is_made() -> None:
    messages = [{"role": "user", "content": "What are the Scope 2 emissions of 2024?"}]
    own = Usage.estimate("openai/gpt-4o", messages, max_output_tokens=100)
    assert own.output_tokens == 100
    assert Usage.estimate("anthropic/claude-opus-5", messages).input_tokens > own.input_tokens
    assert Usage.estimate("openai/gpt-4o", messages[0]["content"]).input_tokens < own.input_tokens


def test_a_text_is_quoted_and_reserved() -> None:
    costs, text = CostTracker(), "What are the Scope 2 emissions of 2024? " * 50
    messages = [{"role": "user", "content": text}]
    quote = costs.quote("openai/gpt-4o", messages, max_output_tokens=200)
    assert quote.usage == Usage.estimate("openai/gpt-4o", messages, max_output_tokens=200)
    # Without a bound, the longest answer that the price table knows of.
    assert costs.quote("openai/gpt-4o", text).usage.output_tokens == 16_384
    assert costs.quote("acme/new", text).usage.output_tokens == 4096
    costs.set_budget("0.01")
    with costs.reserve("openai/gpt-4o-mini", text, max_output_tokens=100) as held:
        assert held.reserved == costs.quote("openai/gpt-4o-mini", text, max_output_tokens=100).cost
    with pytest.raises(BudgetExceeded):
        costs.reserve("openai/gpt-4o", text)
    with pytest.raises(ValueError, match="for a text"):
        costs.quote("openai/gpt-4o", Usage(1, 1), max_output_tokens=5)


@pytest.mark.parametrize("language", sorted(json.loads((DATA / "esg_languages.json").read_text())))
def test_the_bound_is_never_more_than_bytes_and_grows_with_the_text(language: str) -> None:
    texts = json.loads((DATA / "esg_languages.json").read_text())[language]
    frame = Usage.estimate("anthropic/claude-opus-5", "").input_tokens
    for text in texts:
        own = Usage.estimate("openai/gpt-4o", text).input_tokens
        most = Usage.estimate("anthropic/claude-opus-5", text).input_tokens
        assert own < most <= frame + len(text.encode())
        assert most < Usage.estimate("anthropic/claude-opus-5", text * 2).input_tokens
