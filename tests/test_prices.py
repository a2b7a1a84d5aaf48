"""The price table: against what two public libraries agree on, in time, by name, and with prices of one's own."""

import csv
import json
import re
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from headrace import ConfigError, CostTracker, PriceTable, UnknownModel, Usage
from hypothesis import assume, given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
# Prices change; the truth was taken on this day, at an hour without a surcharge.
# What the rules for names say something of.
KIND = re.compile(r"@(?:default|latest)$|-latest$|-\d{3}$")
DAY = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def usage(shape: dict) -> Usage:
    return Usage(
        input_tokens=shape["i"],
        output_tokens=shape["o"],
        cached_input_tokens=shape.get("cr", 0),
        cache_write_tokens=shape.get("cw5", 0) + shape.get("cw1h", 0),
        cache_write_1h_tokens=shape.get("cw1h", 0),
        reasoning_tokens=shape.get("rs", 0),
        input_audio_tokens=shape.get("ai", 0),
        output_audio_tokens=shape.get("ao", 0),
        service_tier=shape.get("tier"),
        batch=shape.get("batch", False),
    )


def test_prices_as_two_libraries_agree() -> None:
    shapes, costs = json.loads((DATA / "price_shapes.json").read_text()), CostTracker()
    with (DATA / "price_truth.csv").open(newline="") as file:
        truth = list(csv.DictReader(file))
    wrong = []
    for row in truth:
        quote = costs.quote(row["model"], usage(shapes[row["shape"]]), at=DAY)
        if quote.estimated or quote.cost != Decimal(row["usd"]):
            wrong.append((row["model"], row["shape"], quote.cost, row["usd"]))
    # Neither library takes account of the surcharge for priority that Fireworks lists.
    assert all(model.startswith("fireworks/") and shape == "priority" for model, shape, *_ in wrong), wrong
    assert len(wrong) <= 6


def test_hours_and_days_of_the_week_have_their_prices() -> None:
    costs, call = CostTracker(), Usage(input_tokens=1_000_000)

    def cost(day: int, hour: int) -> Decimal:
        return costs.quote(
            "deepseek/deepseek-v4-flash", call, at=datetime(2026, 11, day, hour, tzinfo=timezone.utc)
        ).cost

    assert [cost(23, 0), cost(23, 1), cost(23, 12)] == [Decimal("0.15"), Decimal("0.3"), Decimal("0.15")]
    assert cost(22, 2) == Decimal("0.15")  # a Sunday


def test_a_past_call_has_the_price_of_its_day() -> None:
    table = PriceTable.builtin()
    past = table.get("deepseek/deepseek-v4-flash", at=datetime(2026, 8, 20, 12, tzinfo=timezone.utc))
    assert past is not None
    assert past["input"] == Decimal("0.22")
    # Midnight in Beijing, as DeepSeek announced it.
    assert past["since"] == datetime(2026, 8, 16, 16, tzinfo=timezone.utc)
    assert past["until"] == datetime(2026, 9, 10, 4, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("model", "at", "read"),
    [
        # OpenAI's cut of August 2026, and of GPT-4o before it.
        ("openai/gpt-5.6", "2026-08-20T12:00:00Z", "5"),
        ("openai/gpt-5.6", "2026-09-01T12:00:00Z", "4"),
        # What one list had by mistake, until it was put right on the day on which it was noticed, is no history.
        ("openai/gpt-4", "2024-06-01T12:00:00Z", "30"),
        ("anthropic/claude-haiku-4-5", "2025-10-15T12:00:00Z", "1"),
        # Nor is what another name pointed to.
        ("gemini/gemini-2.5-flash", "2025-08-01T12:00:00Z", "0.3"),
        # DeepSeek's discount from 16:30 to 00:30 UTC, which ended on 2025-09-05.
        ("deepseek/deepseek-chat", "2025-03-03T12:00:00Z", "0.27"),
        ("deepseek/deepseek-chat", "2025-03-03T16:30:00Z", "0.135"),
        ("deepseek/deepseek-chat", "2025-03-04T00:29:59Z", "0.135"),
        ("deepseek/deepseek-reasoner", "2025-03-03T20:00:00Z", "0.1375"),
        ("deepseek/deepseek-chat", "2025-09-06T20:00:00Z", "0.57"),
        # Its peak hours since August 2026, on weekdays that are no holiday in China (1 to 7 October 2026 there).
        ("deepseek/deepseek-v4-flash", "2026-09-28T02:00:00Z", "0.3"),
        ("deepseek/deepseek-v4-flash", "2026-10-01T02:00:00Z", "0.15"),
        ("deepseek/deepseek-v4-flash", "2026-10-08T02:00:00Z", "0.3"),
    ],
)
def test_prices_that_are_dated(model: str, at: str, read: str) -> None:
    when = datetime.fromisoformat(at.replace("Z", "+00:00"))
    assert CostTracker().quote(model, Usage(input_tokens=100_000), at=when).cost == Decimal(read) / 10


def test_long_inputs_cost_more_for_the_whole_call() -> None:
    costs = CostTracker()
    short, long = (
        costs.quote("gemini/gemini-2.5-pro", Usage(tokens, 1000), at=DAY).cost for tokens in (200_000, 200_001)
    )
    assert (short, long) == (Decimal("0.26"), Decimal("0.5150025"))


def test_the_fast_mode_has_its_price() -> None:
    costs = CostTracker()
    standard, fast = (
        costs.quote("anthropic/claude-opus-5", Usage(1000, 100, service_tier=tier)) for tier in (None, "fast")
    )
    assert fast.cost == standard.cost * 2
    # Where no list has a price for it, the standard one is all that is known.
    plain = costs.quote("openai/gpt-4", Usage(1000, 100))
    assert costs.quote("openai/gpt-4", Usage(1000, 100, service_tier="fast")).cost == plain.cost


def test_a_discount_for_short_inputs_is_none_for_long_ones() -> None:
    costs = CostTracker()
    flex, standard = (
        costs.quote("gemini/gemini-2.5-pro", Usage(300_000, 100, service_tier=tier)) for tier in ("flex", None)
    )
    assert flex.cost == standard.cost


def test_regions_have_their_own_rows() -> None:
    table, model = PriceTable.builtin(), "anthropic.claude-sonnet-4-5-20250929-v1:0"
    found = {region: table.get(f"bedrock/{region}.{model}", at=DAY) for region in ("us", "eu", "jp", "au", "global")}
    assert {region: row["input"] for region, row in found.items() if row} == {
        "us": Decimal("3.3"),
        "eu": Decimal("3.3"),
        "jp": Decimal("3.3"),
        "au": Decimal("3.3"),
        "global": Decimal("3"),
    }


def test_a_row_names_its_lists_and_their_day() -> None:
    row = PriceTable.builtin().info("openai/gpt-4o")
    assert "litellm" in row["source"]
    assert "models.dev" in row["source"]
    assert row["version"].startswith("2026-")
    # models.dev alone knows this reseller, and a bare name goes to who is in the other lists.
    assert PriceTable.builtin().info("poe/anthropic/claude-haiku-3")["source"].startswith("models.dev")
    assert PriceTable.builtin().info("gpt-4o")["provider"] == "openai"


@settings(deadline=None)
@given(
    st.sampled_from(["openai/gpt-4", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-pro"]),
    st.text(min_size=1, max_size=8),
)
def test_what_only_begins_like_a_model_is_unknown(model: str, more: str) -> None:
    table = PriceTable.builtin()
    full = f"{model}{more}"
    # A model of that name, or one that a list calls so; the rules for names need more than eight characters of what is after.
    assume(not (full in table.models() or table.get(full.lower()) is not None or KIND.search(full)))
    assert table.get(full) is None
    assert CostTracker().quote(full, Usage(1, 1)).estimated


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("openai/ft:gpt-4o-mini-2024-07-18:acme:esg:AbC12345", "openai/ft:gpt-4o-mini-2024-07-18"),
        ("ft:gpt-4o-mini-2024-07-18:acme:esg:AbC12345", "openai/ft:gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4o-2031-02-03", "openai/gpt-4o"),
        (
            "bedrock/us.anthropic.claude-3-haiku-20240307-v1:0",
            "bedrock/regional.anthropic.claude-3-haiku-20240307-v1:0",
        ),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", "bedrock/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("openrouter/openai/gpt-4o-2031-02-03", "openai/gpt-4o"),
        ("vertex_ai/claude-haiku-4-5@20310203", "vertex_ai/claude-haiku-4-5"),
        ("azure/gpt-4o-2031-02-03", "azure/gpt-4o"),
    ],
)
def test_a_kind_of_name_leads_to_its_row(name: str, row: str) -> None:
    costs, usage = CostTracker(), Usage(1_000_000, 1_000_000)
    named, listed = costs.quote(name, usage), costs.quote(row, usage)
    assert not named.estimated
    assert named.cost == listed.cost
    assert "/" not in name or named.provider == name.split("/")[0]


def test_a_fine_tuned_model_costs_what_its_row_says() -> None:
    quote = CostTracker().quote("openai/ft:gpt-4o-mini-2024-07-18:acme:esg:AbC12345", Usage(1_000_000, 1_000_000))
    assert (quote.cost, quote.estimated, quote.co2e_g is not None) == (Decimal("1.5"), False, True)


@pytest.mark.parametrize(
    "name",
    [
        "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "openrouter/anthropic/claude-opus-4.5",
        "vertex_ai/claude-opus-4-5@20251101",
        "azure/gpt-4o-2024-08-06",
        "groq/llama-3.1-8b-instant",
        "openai/gpt-4o-2031-02-03",
    ],
)
def test_a_footprint_is_known_where_the_maker_is(name: str) -> None:
    assert CostTracker().quote(name, Usage(10, 10)).co2e_g is not None


def test_a_guess_of_another_hosts_price_says_so() -> None:
    quote = CostTracker().quote("groq/deepseek-chat", Usage(1_000_000, 0))
    maker = CostTracker().quote("deepseek/deepseek-chat", Usage(1_000_000, 0))
    assert (quote.cost, quote.estimated, quote.provider) == (maker.cost, True, "groq")


def test_an_unknown_model_is_an_estimate_and_never_free() -> None:
    costs = CostTracker()
    quote = costs.quote("anthropic/claude-of-tomorrow", Usage(input_tokens=1000, output_tokens=100))
    assert quote.estimated
    assert quote.cost == Decimal("0.013")
    with pytest.raises(UnknownModel, match=r"PriceTable\.set"):
        PriceTable.builtin().info("anthropic/claude-of-tomorrow")


def test_names_of_other_lists_are_understood() -> None:
    table = PriceTable.builtin()
    same = [
        ("bedrock_converse/global.anthropic.claude-opus-5", "bedrock/global.anthropic.claude-opus-5"),
        ("fireworks_ai/kimi-k3", "fireworks/kimi-k3"),
        ("google/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("gpt-4o", "openai/gpt-4o"),
    ]
    for other, name in same:
        assert table.get(other) == table.get(name) is not None
    assert "gpt-oss-120b" not in table  # several providers have it


def test_own_prices_from_toml_and_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[models."acme/scribe"]\ninput = "0.40"\noutput = "1.60"\ncontext = 128000\n')
    table = PriceTable.load(path)
    table.set("acme/scribe", input="0.30", output="1.20", since="2027-01-01")
    table.set("acme/embed", **{"input": "0.02", "input@batch": "0.01"})
    costs = CostTracker(prices=table)
    call = Usage(input_tokens=1_000_000)
    assert costs.quote("acme/scribe", call, at=DAY).cost == Decimal("0.4")
    assert costs.quote("acme/scribe", call, at=datetime(2027, 1, 1, tzinfo=timezone.utc)).cost == Decimal("0.3")
    assert costs.quote("acme/embed", Usage(input_tokens=1_000_000, batch=True)).cost == Decimal("0.01")
    assert table.info("acme/scribe")["context"] == 128_000
    path.write_text('[models."acme/scribe"]\ninput = 0.40\n')
    with pytest.raises(ConfigError, match="in quotes"):
        PriceTable.load(path)
    with pytest.raises(TypeError, match="float"):
        table.set("acme/scribe", input=0.4)
    assert table.get("acme/scribe", at=DAY)["input"] == Decimal("0.40")


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_bill_is_the_sum_of_its_lines(input_tokens: int, cached: int, output_tokens: int) -> None:
    call = Usage(input_tokens=input_tokens, cached_input_tokens=min(cached, input_tokens), output_tokens=output_tokens)
    quote = CostTracker().quote("openai/gpt-5.4", call)
    assert sum((line["amount"] for line in quote.lines), Decimal(0)) == quote.cost


def test_the_fallback_is_the_users_choice() -> None:
    new, call = "acme/of-tomorrow", Usage(1_000_000, 1_000_000)

    def cost(fallback: object) -> Decimal:
        quote = CostTracker(fallback=fallback).quote(new, call)
        assert quote.estimated
        return quote.cost

    assert cost("estimate") == 40
    assert cost("openai/gpt-4") == 90
    assert cost({"input": "0.5", "output": 2, "request": Decimal("0.01")}) == Decimal("2.51")
    costs = CostTracker(fallback="raise")
    for ask in (costs.quote, costs.reserve, costs.record):
        with pytest.raises(UnknownModel, match="acme/of-tomorrow"):
            ask(new, call)
    assert costs.records() == []
    for wrong in ("guess", {}, {"inputs": "1"}):
        with pytest.raises(ValueError, match=r"give|write"):
            CostTracker(fallback=wrong)
    with pytest.raises(UnknownModel):
        CostTracker(fallback="acme/of-yesterday")
    with pytest.raises(TypeError, match="float"):
        CostTracker(fallback={"input": 0.5})


def test_an_unknown_model_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    costs = CostTracker()
    for _ in range(3):
        costs.record("acme/never-heard-of", Usage(1, 1))
    costs.record("openai/gpt-4", Usage(1, 1))
    assert [(record.name, record.levelname) for record in caplog.records] == [("headrace", "WARNING")]
    assert "acme/never-heard-of" in caplog.text
