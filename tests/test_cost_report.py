"""Reports, forecasts, odd days, and the cheapest model."""

import random
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from headrace import CostTracker, Usage
from headrace.cost.forecast import anomalies, forecast, quantile

START = datetime(2026, 11, 1, tzinfo=timezone.utc)


def test_cheapest_is_the_least_quote():
    costs, usage = CostTracker(), Usage(10_000, 500)
    names = ["openai/gpt-4", "openai/gpt-4o", "openai/gpt-4o-mini", "acme/unheard-of"]
    found = costs.cheapest(names, usage)
    assert [record.model for record in found] == ["gpt-4o-mini", "gpt-4o"]
    assert [record.cost for record in found] == sorted(record.cost for record in found)
    assert costs.cheapest(names, usage, ["vision"])[0].model == "gpt-4o-mini"
    assert costs.cheapest(names, usage, ["image", "audio"]) == []
    assert costs.cheapest(names, usage, quality={"openai/gpt-4o": 3}, min_quality=2)[0].model == "gpt-4o"
    fast = {"openai/gpt-4o": 0.8, "openai/gpt-4o-mini": 2.5}
    assert [found.model for found in costs.cheapest(names, usage, latency=fast, max_latency=1.0)] == ["gpt-4o"]
    assert costs.cheapest(names, Usage(10_000_000, 1)) == []
    assert costs.cheapest(names, usage, context=1_000_000) == []


def filled_tracker() -> CostTracker:
    costs = CostTracker()
    for day in range(20):
        tokens = 100_000 if day != 17 else 5_000_000
        costs.record("openai/gpt-4o", Usage(tokens, 100), tenant="ab"[day % 2], at=START + timedelta(days=day))
    costs.record("openai/gpt-4o", Usage(1000, 100), at=START, cache="semantic")
    return costs


def test_the_report_adds_up_and_finds_the_odd_day():
    costs = filled_tracker()
    report = costs.report(since=START, until=START + timedelta(days=20), move_to="openai/gpt-4o-mini", by="tenant")
    assert report.total == costs.total == sum(group["cost"] for group in report.groups)
    assert sum(cost for _, cost in report.days) == report.total
    assert len(report.days) == 20
    assert [(odd.day, odd.driver) for odd in report.anomalies] == [(date(2026, 11, 18), "b")]
    assert report.forecast.until == datetime(2026, 12, 1, tzinfo=timezone.utc)
    assert report.forecast.low <= report.forecast.total <= report.forecast.high
    assert report.forecast.total == report.total + sum(cost for _, cost in report.forecast.days)
    assert report.saved > 0
    assert report.avoided_co2e_g > 0
    saved = {saving.change: saving for saving in report.what_if}
    assert saved["50 % of the calls to openai/gpt-4o-mini"].saved > 0
    assert list(saved) == sorted(saved, key=lambda change: -saved[change].saved)
    text = str(report)
    assert "2026-11-18 is odd" in text
    assert text.splitlines()[2].split() == ["tenant", "cost", "calls"]


def test_what_if_prices_the_share_again():
    costs = CostTracker()
    for _ in range(4):
        costs.record("openai/gpt-4o", Usage(1000, 500))
    now, batch = (costs.quote("openai/gpt-4o", Usage(1000, 500, batch=batch)).cost for batch in (False, True))
    (saving,) = (saving for saving in costs.report(share="0.25").what_if if "batch" in saving.change)
    assert saving.change == "25 % of the calls in batch"
    assert saving.saved == now - batch
    for wrong in ("0", "1.5"):
        with pytest.raises(ValueError, match="at most 1"):
            costs.report(share=wrong)
    with pytest.raises(ValueError, match="give day"):
        costs.report(period="year")


def test_the_picture_is_well_formed_and_escapes_names():
    costs = filled_tracker()
    costs.record("openai/gpt-4o", Usage(1, 1), tenant="<b>&", at=START)
    page = costs.report(since=START, until=START + timedelta(days=20), by="tenant")._repr_html_()
    ElementTree.fromstring(page.replace("&nbsp;", " "))
    assert page.count("<rect") == 30
    assert "<b>&" not in page
    ElementTree.fromstring(CostTracker().report()._repr_html_().replace("&nbsp;", " "))


def test_days_begin_in_the_zone_that_is_asked_for():
    costs = CostTracker()
    costs.record("openai/gpt-4o", Usage(1000, 100), at=datetime(2026, 11, 9, 22, 30, tzinfo=timezone.utc))
    kiev = costs.report(until=datetime(2026, 11, 20, tzinfo=timezone.utc), timezone="Europe/Kyiv", period="month")
    assert dict(kiev.days)[date(2026, 11, 10)] == costs.total
    assert kiev.since == datetime(2026, 10, 31, 22, tzinfo=timezone.utc)


def series(seed: int, count: int) -> list[float]:
    """Give days of which weekends are quiet, with a tenth of noise."""
    generator = random.Random(seed)
    return [generator.gauss(100, 10) if place % 7 < 5 else generator.gauss(10, 1) for place in range(count)]


def test_nine_of_ten_months_end_in_the_interval():
    start = datetime(2026, 6, 1, tzinfo=timezone.utc)
    held = 0
    for seed in range(300):
        costs = series(seed, 60)
        days = {(start + timedelta(days=place)).date(): Decimal(cost) for place, cost in enumerate(costs[:42])}
        until = start + timedelta(days=42)
        spent = Decimal(sum(costs[30:42]))
        found = forecast(days, spent, start + timedelta(days=30), until, start + timedelta(days=60))
        assert "weekday" in found.method
        held += found.low <= sum(costs[30:60]) <= found.high
    assert 0.86 <= held / 300 <= 0.94


def test_a_short_past_has_no_interval():
    start = datetime(2026, 6, 1, tzinfo=timezone.utc)
    found = forecast({}, Decimal(5), start, start + timedelta(days=10), start + timedelta(days=30))
    assert (found.total, found.high) == (Decimal(15), None)
    assert quantile(10) == pytest.approx(1.812, abs=0.01)


def test_a_quiet_day_that_is_not_quiet_is_odd():
    first = date(2026, 6, 1)
    for seed in range(20):
        costs = series(seed, 60)
        days = {first + timedelta(days=place): Decimal(max(cost, 0)) for place, cost in enumerate(costs)}
        found = {odd.day for odd in anomalies({"all": days}, first + timedelta(days=30), first + timedelta(days=60))}
        assert not found
        sunday = first + timedelta(days=48)
        days[sunday] = Decimal(100)
        found = {odd.day for odd in anomalies({"all": days}, first + timedelta(days=30), first + timedelta(days=60))}
        assert found == {sunday}


@pytest.mark.parametrize("tokens", [1, 1000, 10**9])
def test_the_amounts_of_the_scale_are_inside_of_the_chart(tokens):
    costs = CostTracker()
    costs.record("openai/gpt-4o-mini", Usage(input_tokens=tokens, output_tokens=7))
    page = ElementTree.fromstring(costs.report()._repr_html_().replace("&nbsp;", " "))
    amounts = [text for text in page.iter("text") if text.get("text-anchor") == "end"]
    assert len(amounts) == 3
    # A digit of this size is 6.4 wide in the fonts of browsers.
    assert min(float(text.get("x")) - 6.4 * len(text.text) for text in amounts) >= 0


def test_a_footprint_that_is_not_known_is_not_zero():
    costs = CostTracker()
    costs.record("simulated/esg", Usage(100, 20))
    told = costs.report()
    assert "not known" in told._repr_html_()
    assert "Energy" not in str(told)
    costs.record("openai/gpt-4o", Usage(100, 20))
    told = costs.report()
    assert "not known" not in told._repr_html_()
    assert "Energy" in str(told)
