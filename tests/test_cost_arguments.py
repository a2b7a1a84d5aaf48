"""What the cost tracker takes in Python: durations, amounts, names; and what it says of anything else."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from headrace import BudgetExceeded, CostTracker, PriceTable, UnknownModel, Usage

MODEL, CALL = "openai/gpt-4", Usage(1000, 500)
NAIVE = datetime(2026, 1, 1)


def test_durations_may_be_timedeltas():
    costs = CostTracker(retention=timedelta(days=1))
    costs.set_budget("0.06", period=timedelta(hours=1), alert_at=[Decimal("0.8"), "0.9", 1], alerts=print)
    assert costs.budgets()[0]["period"] == "rolling 3600s"
    with costs.reserve(MODEL, CALL, lease_seconds=timedelta(minutes=5)) as held:
        held.extend(timedelta(minutes=5))
        assert held.settle(CALL, latency=timedelta(milliseconds=1500)).latency == 1.5
    assert costs.remove_budget(period=timedelta(hours=1))


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda c: c.records(limit=-1), ValueError, "limit is -1: give a whole number"),
        (lambda c: c.record(MODEL, CALL, attempts=-1), ValueError, "attempts is -1"),
        (lambda c: c.record(MODEL, CALL, attempts=2**40), ValueError, "attempts is 1099511627776"),
        (lambda c: c.record(MODEL, CALL, at="2026-01-01"), TypeError, "at is a str: give a datetime"),
        (lambda c: c.record(MODEL, CALL, at=NAIVE), TypeError, "at is a datetime without a time zone"),
        (
            lambda c: c.record(MODEL, CALL, at=datetime.max.replace(tzinfo=timezone.utc)),
            ValueError,
            "between the years",
        ),
        (lambda c: c.record(MODEL, CALL, latency=-1.0), ValueError, "latency is -1"),
        (lambda c: c.record(MODEL, CALL, latency="fast"), TypeError, "latency is a str"),
        (lambda c: c.reserve(MODEL, CALL, lease_seconds=0), ValueError, "lease_seconds is 0"),
        (lambda c: c.reserve(MODEL, CALL, lease_seconds=float("nan")), ValueError, "lease_seconds is NaN"),
        (lambda c: c.set_budget(1, tenant=""), ValueError, "empty"),
        (lambda c: c.set_budget(1, alerts=3), TypeError, "alerts is a int"),
        (lambda c: c.set_budget(1, alert_at=["most"], alerts=print), ValueError, "alert at most"),
        (lambda c: c.set_budget(1, period=3600), TypeError, "period is a int"),
        (lambda c: c.set_budget(1, period=timedelta(milliseconds=1)), ValueError, "whole seconds"),
        (lambda c: CostTracker(retention=timedelta(days=-1)), ValueError, "retention is -86400"),
        (lambda c: CostTracker(fallback=5), TypeError, "it is a int: give"),
        (lambda c: CostTracker(fallback={"output": "8"}), ValueError, "none for input"),
        (lambda c: c.cheapest(MODEL, CALL), TypeError, "candidates is one string"),
        (lambda c: c.cheapest([MODEL], CALL, "vision"), TypeError, "needs is one string"),
        (lambda c: c.cheapest([MODEL], CALL, ["telepathy"]), ValueError, "telepathy.*vision"),
        (lambda c: c.report(timezone="Mars"), ValueError, "IANA"),
        (lambda c: c.report(since=NAIVE), TypeError, "since is a datetime without"),
        (lambda c: c.report(share="lots"), ValueError, "share lots"),
        (lambda c: c.report(move_to="acme/none"), UnknownModel, "acme/none"),
        (lambda c: PriceTable.builtin().set(MODEL, input="1", context=-3), ValueError, "context is -3"),
        (lambda c: PriceTable.builtin().set("acme/new", cached_input="1"), ValueError, "none for input"),
    ],
)
def test_what_is_impossible_is_told(call, error, told):
    costs = CostTracker()
    with pytest.raises(error, match=told):
        call(costs)
    assert costs.records() == costs.budgets() == []


def test_other_names_of_a_provider_and_a_model_are_the_same_budget():
    costs = CostTracker()
    for scope in ({"provider": "google"}, {"model": "google/gemini-2.5-pro"}, {"model": "models/gemini-2.5-pro"}):
        costs.set_budget(0, **scope)
        with pytest.raises(BudgetExceeded):
            costs.reserve("gemini/gemini-2.5-pro", CALL)
        assert costs.remove_budget(**scope)
    costs.record("google/gemini-2.5-pro", CALL)
    assert len(costs.records(provider="google")) == len(costs.summary(model="google/gemini-2.5-pro")) == 1


def test_names_in_other_forms_are_found_and_none_is_cut():
    table = PriceTable.builtin()
    for name, meant in [
        ("OpenAI/GPT-4o", "openai/gpt-4o"),
        ("models/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-pro", "vertex_ai/gemini-2.5-pro"),
        (
            "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ]:
        assert table.get(name) == table.get(meant) is not None, name
    for name in ("models/gpt", "openai/GPT-4o-and-more", "gemini/models/", "arn:aws:bedrock:x"):
        assert name not in table


def test_an_own_price_of_one_kind_leaves_the_others():
    table, at = PriceTable.builtin(), datetime.now(timezone.utc)
    before = table.get("openai/gpt-4o", at=at)
    table.set("openai/gpt-4o", cached_input="0.1")
    after = table.get("openai/gpt-4o", at=at)
    assert (after["input"], after["output"], after["cached_input"]) == (
        before["input"],
        before["output"],
        Decimal("0.1"),
    )
