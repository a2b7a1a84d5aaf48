"""The ledger for other programs: Arrow, pandas, polars, CSV, FOCUS."""

import csv
import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import headrace
import pytest
from headrace import CostTracker, Usage

START = datetime(2026, 11, 1, tzinfo=timezone.utc)
MODELS = ["openai/gpt-4", "openai/gpt-4o-mini", "deepseek/deepseek-v3", "acme/unheard-of"]
KINDS = ["input", "cached_input", "cache_write", "cache_write_1h", "input_audio", "input_image", "output", "reasoning"]
KINDS += ["output_audio", "output_image", "image", "search", "request"]


@pytest.fixture(params=["memory", "sqlite"])
def costs(request, tmp_path):
    return CostTracker(url="memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'costs.db'}")


def fill(costs: CostTracker) -> None:
    for place, model in enumerate(MODELS):
        usage = Usage(1000, 500, cached_input_tokens=100, reasoning_tokens=50, batch=place == 1)
        at = START + timedelta(seconds=place / 3)
        costs.record(model, usage, tenant='a "b", c', tags=["project=x", "urgent"], at=at, latency=0.7)
    costs.record(MODELS[0], Usage(1000, 500), cache="exact", at=START)


def test_frames_hold_the_same_money(costs):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    assert costs.to_polars().height == 0
    fill(costs)
    frame = costs.to_polars()
    assert frame.schema["cost"] == polars.Decimal(38, 18)
    assert sum(frame["cost"].to_list()) == costs.total
    assert sum(costs.to_pandas()["cost"]) == costs.total
    assert isinstance(costs.to_pandas(tenant="nobody"), pandas.DataFrame)
    by_kind = sum(sum(amount for amount in frame[f"cost_{kind}"] if amount is not None) for kind in KINDS)
    assert by_kind == costs.total


def test_arrow_comes_in_batches_and_ends_where_it_began(costs):
    pyarrow = pytest.importorskip("pyarrow")
    for place in range(200):
        costs.record(MODELS[place % 4], Usage(place, 1), tenant="ab"[place % 2])
    reader = pyarrow.RecordBatchReader.from_stream(costs.to_arrow(tenant="a"))
    # What is written while it is read is not in it.
    costs.record(MODELS[0], Usage(7, 7), tenant="a")
    table = reader.read_all()
    assert table.num_rows == sum(record.tenant == "a" for record in costs.records()) - 1
    assert table.schema.field("time").type == pyarrow.timestamp("us", tz="UTC")
    table.validate(full=True)


def test_arrow_gives_each_block_once():
    pyarrow, costs, usage = pytest.importorskip("pyarrow"), CostTracker(), Usage(1, 1)
    for _ in range(70_000):
        costs.record(MODELS[0], usage)
    batches = list(pyarrow.RecordBatchReader.from_stream(costs.to_arrow()))
    assert [batch.num_rows for batch in batches] == [65_536, 70_000 - 65_536]
    assert [batch["id"][0].as_py() for batch in batches] == [1, 65_537]


def test_csv_holds_every_call(costs, tmp_path):
    fill(costs)
    assert costs.to_csv(tmp_path / "all.csv") == 5
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == costs.total
    parts = [Decimal(row[f"cost_{kind}_usd"] or 0) for row in rows for kind in KINDS]
    assert sum(parts) == costs.total
    assert rows[0]["tenant"] == 'a "b", c'
    assert rows[1]["service_tier"] == "batch"
    assert rows[0]["reasoning_tokens"] == "50"
    with pytest.raises(headrace.StoreError):
        costs.to_csv(tmp_path / "no" / "such" / "folder.csv")


def focus(costs, path):
    count = costs.export_focus(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    return rows


def test_focus_adds_up(costs, tmp_path):
    fill(costs)
    rows = focus(costs, tmp_path / "focus.csv")
    assert sum(Decimal(row["BilledCost"]) for row in rows) == costs.total
    assert {row["x_GhgProtocol"] for row in rows} == {"Scope 3 Category 1: Purchased goods and services"}
    for row in rows:
        assert Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ListCost"])
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    energy = sum(float(row["x_EnergyWhMax"] or 0) for row in rows)
    assert energy == pytest.approx(sum(row["energy_wh"].max for row in costs.summary()))
    kinds = {(row["x_CallId"], row["SkuMeter"]) for row in rows}
    assert len(kinds) == len(rows)
    assert {"input", "cached input", "output", "reasoning"} <= {meter for _, meter in kinds}
    assert json.loads(rows[0]["Tags"]) == {"project": "x", "urgent": True}


def test_focus_keeps_to_the_specification(costs, tmp_path):
    fill(costs)
    costs.record("openai/gpt-4", Usage(0, 0), at=START)  # costs nothing, and is a call all the same
    with (Path(__file__).parent / "data" / "focus_1_2.csv").open(newline="") as file:
        columns = {row["column"]: row for row in csv.DictReader(file)}
    rows = focus(costs, tmp_path / "focus.csv")
    given = set(rows[0])
    assert {name for name in given if not name.startswith("x_")} <= set(columns)
    assert {name for name, column in columns.items() if column["level"] == "mandatory"} <= given
    patterns = {
        "decimal": re.compile(r"-?\d+(\.\d+)?"),
        "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        "string": re.compile(r".+", re.DOTALL),
        "json": re.compile(r"\{.*\}", re.DOTALL),
    }
    for row in rows:
        for name in given & set(columns):
            column, value = columns[name], row[name]
            if value == "":
                assert column["null"] == "yes", name
                continue
            assert patterns[column["type"]].fullmatch(value), (name, value)
            assert column["allowed"] == "" or value in column["allowed"].split("|"), (name, value)
            if column["type"] == "json":
                assert all(isinstance(part, str | bool | int) for part in json.loads(value).values())
    prices = {}
    for row in rows:
        assert prices.setdefault(row["SkuPriceId"], row["ListUnitPrice"]) == row["ListUnitPrice"]
    assert len({row["x_CallId"] for row in rows}) == 5
