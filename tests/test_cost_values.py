"""Records as values: what they say, pickled, as dictionaries, in exports."""

import copy
import csv
import pickle
from decimal import Decimal
from pathlib import Path

import pytest
from headrace import CostTracker, Usage

USAGE = Usage(1000, 200, cached_input_tokens=100)


@pytest.fixture(params=["memory", "sqlite"])
def costs(request: pytest.FixtureRequest, tmp_path: Path) -> CostTracker:
    return CostTracker(url="memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'costs.db'}")


def test_a_record_says_what_was_told_and_what_is_estimated(costs: CostTracker) -> None:
    told = costs.record("openai/gpt-4o", USAGE, told_cost="0.00014", tenant="acme", tags=["x"])
    guessed = costs.record("openai/gpt-4o", USAGE, usage_estimated=True)
    assert (told.told_cost, told.estimated) == (Decimal("0.00014"), False)
    assert (guessed.told_cost, guessed.estimated) == (None, True)
    assert guessed.cost == told.cost
    assert [(record.told_cost, record.estimated) for record in costs.records()] == [
        (Decimal("0.00014"), False),
        (None, True),
    ]
    assert {row["estimated"]: row["calls"] for row in costs.summary("estimated")} == {"false": 1, "true": 1}
    assert costs.stats()["estimated"] == 1
    for bad in ("-1", "free"):
        with pytest.raises(ValueError, match="0"):
            costs.record("openai/gpt-4o", USAGE, told_cost=bad)
    with pytest.raises(TypeError):
        costs.record("openai/gpt-4o", USAGE, told_cost=0.1)  # type: ignore[arg-type]


def test_a_record_can_be_pickled_and_turned_into_a_dictionary(costs: CostTracker) -> None:
    costs.record("openai/gpt-4o", USAGE, told_cost="0.5", tenant="acme", tags=["x"], latency=1.5, attempts=2)
    costs.record("acme/unknown", USAGE, cache="semantic")
    for record in [*costs.records(), costs.quote("openai/gpt-4", USAGE)]:
        again = pickle.loads(pickle.dumps(record))
        assert again == record == copy.deepcopy(record)
        assert hash(again) == hash(record)
        assert again.to_dict() == record.to_dict()
        assert record.to_dict()["usage"] == USAGE.to_dict()
        assert record.to_dict()["cost"] == record.cost
    assert costs.records()[0] != costs.records()[1]


def test_cells_that_a_spreadsheet_would_run_are_texts(costs: CostTracker, tmp_path: Path) -> None:
    for tenant in ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "acme"]:
        costs.record("openai/gpt-4", USAGE, tenant=tenant, tags=[tenant])
    for write in (costs.to_csv, costs.export_focus):
        path = tmp_path / "costs.csv"
        write(path)
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t")) or cell == "-2+3"]
        assert "acme" in cells
        assert "'=1+1" in cells


def test_one_dimension_may_be_a_text(costs: CostTracker) -> None:
    costs.record("openai/gpt-4", USAGE)
    assert costs.summary("model") == costs.summary(["model"]) == costs.summary(("model",))
    with pytest.raises(ValueError, match="models"):
        costs.summary("models")
