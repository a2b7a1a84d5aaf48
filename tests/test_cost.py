from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from headrace import CostTracker, PriceTable, Usage
from headrace.cli import main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MODELS = ["openai/gpt-4", "openai/gpt-4o-mini", "deepseek/deepseek-v3", "acme/unheard-of"]
START = datetime(2026, 11, 1, tzinfo=timezone.utc)


@pytest.fixture(params=["memory", "sqlite"])
def url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'costs.db'}"


@pytest.mark.parametrize(("gpt4", "expected"), [(("10", "30"), "0.011084"), (("30", "60"), "0.027084")])
def test_a_ledger_kept_by_floats_is_replayed_exactly(url, gpt4, expected):
    prices = PriceTable.builtin()
    prices.set("deepseek/deepseek-v3", input="0.14", output="0.28")
    prices.set("openai/gpt-4", input=gpt4[0], output=gpt4[1])
    costs = CostTracker(prices=prices, url=url)
    found = [
        costs.record("deepseek/deepseek-v3", Usage(200, 100)).cost,
        costs.record("deepseek/deepseek-v3", Usage(100, 50)).cost,
        costs.record("openai/gpt-4", Usage(500, 200)).cost,
    ]
    assert found[:2] == [Decimal("0.000056"), Decimal("0.000028")]
    assert costs.total == sum(found) == Decimal(expected)


calls = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.integers(0, 100_000),
        st.integers(0, 10_000),
        st.sampled_from(["a", "b"]),
        st.lists(st.sampled_from(["project=x", "project=y", "urgent"]), max_size=2),
        st.integers(0, 60 * 24 * 40),
        st.sampled_from([None, None, "exact", "semantic"]),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=calls)
def test_every_grouping_adds_up_to_the_total(tmp_path_factory, calls):
    file = tmp_path_factory.mktemp("ledger") / "costs.db"
    for costs in [CostTracker(), CostTracker(url=f"sqlite:///{file}")]:
        records = [
            costs.record(
                model, Usage(read, written), tenant=tenant, tags=tags, at=START + timedelta(minutes=minute), cache=cache
            )
            for model, read, written, tenant, tags, minute, cache in calls
        ]
        total = sum((record.cost for record in records), Decimal(0))
        saved = sum((record.saved for record in records), Decimal(0))
        assert costs.total == total
        for by in [[], ["tenant"], ["provider", "model"], ["tags"], ["tag:project"], ["tenant", "estimated"]]:
            for bucket, zone in [(None, "UTC"), ("day", "UTC"), ("week", "Asia/Kolkata"), ("month", "Europe/Berlin")]:
                rows = costs.summary(by, bucket=bucket, timezone=zone)
                assert sum((row["cost"] for row in rows), Decimal(0)) == total
                assert sum((row["saved"] for row in rows), Decimal(0)) == saved
                assert sum(row["calls"] for row in rows) == len(calls)
                energy = sum(row["energy_wh"].max for row in rows)
                assert energy == pytest.approx(
                    sum(record.energy_wh.max for record in records if record.energy_wh is not None)
                )
        for record in records:
            assert sum((line["amount"] for line in record.lines), Decimal(0)) == record.cost + record.saved


def test_records_are_read_back_as_they_were_written(url):
    costs = CostTracker(url=url)
    usage = Usage(1000, 500, cached_input_tokens=200, reasoning_tokens=100, batch=True)
    put = costs.record("openai/gpt-4o-mini", usage, tenant="t", tags=["b", "a"], at=START, latency=1.25, attempts=2)
    (got,) = costs.records()
    for name in ["id", "time", "provider", "model", "tenant", "tags", "usage", "cost", "lines", "latency", "attempts"]:
        assert getattr(got, name) == getattr(put, name), name
    for name in ["energy_wh", "co2e_g", "water_l"]:
        written, read = getattr(put, name), getattr(got, name)
        assert (read.min, read.max) == (written.min, written.max)
    assert got.tags == ["a", "b"]
    assert got.time == START


def test_filters_and_purge(url):
    costs = CostTracker(url=url)
    for hour in range(10):
        costs.record(MODELS[hour % 2], Usage(100, 1), tenant="ab"[hour % 2], at=START + timedelta(minutes=30 * hour))
    assert len(costs.records(tenant="a")) == 5
    assert len(costs.records(model="gpt-4")) == 5
    assert [record.id for record in costs.records(limit=2, newest_first=True)] == ["10", "9"]
    cut = START + timedelta(minutes=75)
    later = sum((record.cost for record in costs.records(since=cut)), Decimal(0))
    assert costs.purge(cut) == 3
    assert costs.total == later
    assert sum((row["cost"] for row in costs.summary(bucket="hour")), Decimal(0)) == later


def test_old_records_are_purged_by_themselves(url):
    costs = CostTracker(url=url, retention=timedelta(days=30))
    old, new = datetime.now(timezone.utc) - timedelta(days=31), datetime.now(timezone.utc) - timedelta(days=29)
    costs.record(MODELS[0], Usage(1, 1), at=new)
    assert len(costs.records()) == 1
    # Within the hour nothing is purged again.
    costs.record(MODELS[0], Usage(1, 1), at=old)
    assert len(costs.records()) == 2
    with pytest.raises(ValueError, match="for good"):
        CostTracker(retention=timedelta(0))


def test_old_records_in_a_file_are_purged_by_who_opens_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'costs.db'}"
    old, new = datetime.now(timezone.utc) - timedelta(days=31), datetime.now(timezone.utc) - timedelta(days=29)
    other = CostTracker(url=url)
    other.record(MODELS[0], Usage(1, 1), at=old)
    other.record(MODELS[0], Usage(1, 1), at=new)
    assert len(other.records()) == 2
    third = CostTracker(url=url, retention=timedelta(days=30))
    third.record(MODELS[0], Usage(1, 1), at=new)
    third.record(MODELS[0], Usage(1, 1), at=new)  # waits for the writer, which purges first
    assert len(other.records()) == 3


def test_an_unknown_model_costs_something_and_says_so(url):
    costs = CostTracker(url=url)
    record = costs.record("openai/gpt-4-of-my-own", Usage(1000, 1000))
    assert record.estimated
    assert record.cost > 0
    assert record.energy_wh is None
    assert costs.stats()["estimated"] == 1
    assert costs.summary([])[0]["calls_of_unknown_footprint"] == 1


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"tags": "one"}, TypeError),
        ({"tags": [""]}, ValueError),
        ({"tenant": ""}, ValueError),
        ({"cache": "maybe"}, ValueError),
        ({"latency": float("nan")}, ValueError),
        ({"at": datetime(2026, 1, 1)}, TypeError),
    ],
)
def test_bad_arguments_change_nothing(keywords, error):
    costs = CostTracker()
    with pytest.raises(error):
        costs.record("openai/gpt-4", Usage(1, 1), **keywords)
    assert costs.records() == []


def test_money_is_never_a_float():
    with pytest.raises(TypeError, match="float is not exact"):
        CostTracker().set_budget(0.05)


def test_other_processes_see_records_at_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'costs.db'}"
    one, other = CostTracker(url=url), CostTracker(url=url)
    one.record("openai/gpt-4", Usage(10, 10))
    assert other.total == one.total > 0


def test_command_lines(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'costs.db'}"
    CostTracker(url=url).record("openai/gpt-4", Usage(1000, 500), tenant="acme")
    for line in [
        ["cost", "summary", url, "--by", "tenant", "--bucket", "day"],
        ["cost", "records", url, "--json"],
        ["cost", "export", url, str(tmp_path / "f.csv"), "--format", "focus"],
        ["cost", "report", url, "--by", "tenant", "--timezone", "Europe/Berlin"],
        ["cost", "purge", url, "--before", "2026-01-01"],
    ]:
        assert main(line) == 0
    out = capsys.readouterr().out
    assert "acme" in out
    assert "0.06" in out
    assert "2 rows" in out
    assert "0 records forgotten" in out
