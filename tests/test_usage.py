"""Usage from the replies of providers, each with its own rule."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from headrace import BudgetExceeded, CostTracker, Usage

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


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: f"{reply['provider']}-{reply['flavor']}")
def test_replies_are_read_with_one_meaning(reply: dict) -> None:
    usage = Usage.from_response(reply["raw"])
    if "usage" not in reply:  # Gemini with audio in it
        assert usage == Usage(
            input_tokens=1000, output_tokens=350, cached_input_tokens=400, reasoning_tokens=150, input_audio_tokens=300
        )
        return
    for theirs, ours in FIELDS.items():
        assert getattr(usage, ours) == reply["usage"].get(theirs, 0), ours
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
    with pytest.raises(OverflowError):
        Usage(input_tokens=-1)


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
