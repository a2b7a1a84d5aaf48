"""What a notebook shows: of every object, well formed, escaped, without a colour or a secret of its own."""

import json
import re
from xml.etree import ElementTree

import headrace
import pandas
import polars
import pytest

MARK = "<script>alert('x') & more</script>"


def filled():
    client = headrace.Client(
        [
            headrace.providers.Simulated(time_to_first_token=0),
            headrace.providers.OpenAI("sk-secret-key", name="openai"),
        ]
    )
    client.costs.set_budget("1.00", tenant=MARK)
    client.chat("simulated/echo", MARK, tenant=MARK)
    client.chat("simulated/echo", MARK, tenant=MARK)
    return client


def objects():
    client = filled()
    cache, queue = headrace.SemanticCache(), headrace.RequestQueue(name=MARK)
    cache.put(MARK, {"answer": MARK}, cost="0.01")
    queue.put("x", tenant=MARK)
    return {
        "client": client,
        "cache": client.cache,
        "queue": queue,
        "costs": client.costs,
        "response": client.chat("simulated/echo", MARK, tenant=MARK),
        "record": client.costs.records()[0],
        "usage": headrace.Usage(12, 5),
        "hit": cache.get(MARK),
        "explanation": cache.explain(MARK)[0],
        "explanations": cache.explain(MARK),
        "no explanation": cache.explain(MARK, scope="other"),
        "no costs": headrace.CostTracker(),
        "estimate": headrace.map(["a"], "{}", model="simulated/echo", client=client, dry_run=True),
    }


OBJECTS = objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_a_view_is_well_formed_escaped_and_in_the_colours_of_the_page(name):
    shown = OBJECTS[name]._repr_html_()
    ElementTree.fromstring(shown)
    assert "<script" not in shown
    assert "sk-secret" not in shown
    # Any colour but the page's own is wrong in the light or in the dark.
    assert set(re.findall(r"(?<!-)color:\s*([^;']+)", shown)) <= {"inherit"}
    assert "background" not in shown


def test_what_a_view_says():
    assert "simulated" in OBJECTS["client"]._repr_html_()
    assert "cache hits" in OBJECTS["costs"]._repr_html_()
    assert "Budgets" in OBJECTS["costs"]._repr_html_()
    assert "exact" in OBJECTS["response"]._repr_html_()
    assert "no calls yet" in OBJECTS["no costs"]._repr_html_()
    assert "other scopes of the tenant hold 1 entries" in OBJECTS["no explanation"]._repr_html_()


def test_figures_have_units_and_what_never_happened_is_left_out():
    cache = OBJECTS["cache"]._repr_html_()
    assert re.search(r"hit rate</td><td[^>]*>[\d.]+%", cache)
    assert "evictions" not in cache
    assert re.search(r"wait</td>.*\d (µs|ms|s),", OBJECTS["queue"]._repr_html_())
    assert re.search(r"age</td><td[^>]*>[\d.]+ (µs|ms|s)<", OBJECTS["hit"]._repr_html_())
    known = headrace.CostTracker().record("openai/gpt-4o", headrace.Usage(12, 5))
    assert "energy (Wh)" in known._repr_html_()
    assert re.search(r"cost high</td><td[^>]*>\$", OBJECTS["estimate"]._repr_html_())


def test_a_name_stands_over_its_numbers():
    sides = re.findall(r"<th style='[^']*text-align:(\w+)[^']*'>(\w+)", OBJECTS["costs"]._repr_html_())
    assert {("left", "provider"), ("right", "calls"), ("right", "spent")} <= set(sides)


def test_an_address_is_shown_without_its_password():
    from headrace.notebook import views

    class Queue:
        name, url = "q", "redis://user:hunter2@cache.example:6379/0"
        stats = headrace.RequestQueue().stats

    assert "hunter2" not in views.queue(Queue())
    assert "cache.example" in views.queue(Queue())


def test_records_make_a_frame_with_columns():
    costs = filled().costs
    frame = pandas.DataFrame(costs.records())
    assert list(frame.columns) == list(costs.records()[0].to_dict())
    assert sum(frame["cost"]) == costs.total
    assert frame["cache"][1] == "exact"
    assert frame["cache"].isna()[0]
    assert polars.DataFrame([dict(record) for record in costs.records()])["model"].to_list() == ["echo", "echo"]
    record = costs.records()[0]
    assert dict(record) == record.to_dict()
    assert len(record) == len(list(record))
    with pytest.raises(KeyError):
        record["colour"]


def test_the_cost_of_a_pandas_frame_can_be_plotted():
    costs = filled().costs
    frame = costs.to_pandas()
    assert frame["cost_usd"].dtype == "float64"
    assert frame["cost_usd"].sum() == pytest.approx(float(costs.total))
    assert sum(frame["cost"]) == costs.total


def test_a_response_is_json():
    response = OBJECTS["response"]
    assert json.loads(json.dumps(response.to_dict())) == dict(response)
    assert dict(response)["cost"] == "0"
