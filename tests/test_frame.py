"""One call over a frame: the same kind comes back in order, equal rows are one call, and no cent is over the budget."""

import asyncio
import json
import logging
import pickle
from typing import Literal

import headrace
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest
from headrace.frame.form import Form
from headrace.frame.template import Template
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from raw_server import MODEL, USAGE, RawServer, client_of, error, told, whole

FACTS = ["_cost", "_cached", "_model", "_tokens", "_error"]
TEXTS = ["travel", "waste", "travel", "water", "waste", "travel"]
QUESTION = "Which scope is {text}?"
COST = headrace.CostTracker().quote(MODEL, headrace.Usage(12, 5)).cost
JSON_SCHEMA = {
    "type": "object",
    "title": "Disclosure",
    "properties": {"topic": {"type": "string", "enum": ["E1", "E5"]}, "pages": {"type": "integer"}},
    "required": ["topic"],
}


class Disclosure(BaseModel):
    topic: Literal["E1", "E5"]
    pages: int | None = None
    tags: list[str] = []


def asked(request):
    return request.json["messages"][-1]["content"]


def repeat(request):
    """Answers each question with itself."""
    return whole(asked(request))


def simulated(**settings):
    return headrace.Client(headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0), **settings)


def by_map(frame, template, **call):
    return headrace.map(frame, template, **call)


def by_amap(frame, template, **call):
    return asyncio.run(headrace.amap(frame, template, **call))


def in_a_running_loop(frame, template, **call):
    async def cell():
        return headrace.map(frame, template, **call)

    return asyncio.run(cell())


EVERY_WAY = [by_map, by_amap, in_a_running_loop]


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_pandas_frame_comes_back_with_answers_behind_its_columns(ask):
    frame = pandas.DataFrame({"text": TEXTS, "n": range(6)}, index=list("abcbef"))
    out = ask(frame, QUESTION, model="simulated/echo", client=simulated())
    assert list(out.columns) == ["text", "n", "answer", *FACTS]
    assert list(out.index) == list("abcbef")
    assert list(out["answer"]) == [QUESTION.format(text=text) for text in TEXTS]
    assert list(out["_cached"]) == [False, False, True, False, True, True]
    assert out["_error"].isna().all()
    assert list(frame.columns) == ["text", "n"]
    assert out["_cost"].astype(float).sum() > 0


@pytest.mark.parametrize("lazy", [False, True])
def test_a_polars_frame_comes_back(lazy):
    frame = polars.DataFrame({"text": TEXTS})
    out = headrace.map(frame.lazy() if lazy else frame, QUESTION, model="simulated/echo", client=simulated())
    assert isinstance(out, polars.LazyFrame) == lazy
    out = out.lazy().collect()
    assert out.columns == ["text", "answer", *FACTS]
    assert out["answer"].to_list() == [QUESTION.format(text=text) for text in TEXTS]
    assert isinstance(out["_cost"].dtype, polars.Decimal)


def test_an_arrow_table_and_batch_come_back():
    table = pyarrow.table({"text": TEXTS})
    client = simulated()
    out = headrace.map(table, QUESTION, model="simulated/echo", client=client)
    assert isinstance(out, pyarrow.Table)
    assert out.column_names == ["text", "answer", *FACTS]
    assert sum(out["_cost"].to_pylist()) == client.costs.total
    [batch] = table.to_batches()
    out = headrace.map(batch, QUESTION, model="simulated/echo", client=client)
    assert isinstance(out, pyarrow.RecordBatch)
    assert out["answer"].to_pylist() == [QUESTION.format(text=text) for text in TEXTS]


def test_what_has_the_arrow_interface_comes_back_as_a_table():
    class Other:
        def __arrow_c_stream__(self, requested_schema=None):
            return pyarrow.table({"text": ["a"]}).__arrow_c_stream__(requested_schema)

    out = headrace.map(Other(), QUESTION, model="simulated/echo", client=simulated())
    assert out["answer"].to_pylist() == ["Which scope is a?"]


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize("kind", [list, iter, tuple])
def test_texts_give_responses(kind, ask):
    client = simulated()
    out = ask(kind(TEXTS), "Which scope is {}?", model="simulated/echo", client=client)
    assert [r.text for r in out] == [f"Which scope is {text}?" for text in TEXTS]
    assert [r.cache for r in out] == [None, None, "exact", None, "exact", "exact"]
    assert sum(r.cost for r in out) == client.costs.total > 0
    assert out[2].saved_cost == out[0].cost
    assert pickle.loads(pickle.dumps(out[2])) == out[2]


def test_dicts_give_responses():
    rows = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    out = headrace.map(rows, "{a} and {b}", model="simulated/echo", client=simulated())
    assert [r.text for r in out] == ["1 and 2", "3 and 4"]


def test_an_empty_frame_comes_back_with_its_columns():
    out = headrace.map(pandas.DataFrame({"text": []}), QUESTION, model="simulated/echo", client=simulated())
    assert list(out.columns) == ["text", "answer", *FACTS]
    assert headrace.map([], QUESTION, model="simulated/echo", client=simulated()) == []


@pytest.mark.parametrize(
    ("source", "target"), [("csv", "csv"), ("csv", "parquet"), ("parquet", "csv"), ("parquet", "parquet")]
)
def test_a_file_gives_a_file(tmp_path, source, target):
    frame = pandas.DataFrame({"id": range(3000), "text": [f"item {n % 1500}, with a comma" for n in range(3000)]})
    given = tmp_path / f"questions.{source}"
    frame.to_csv(given, index=False) if source == "csv" else frame.to_parquet(given)
    out = headrace.map(given, QUESTION, model="simulated/echo", client=simulated(), output=tmp_path / f"out.{target}")
    assert out == tmp_path / f"out.{target}"
    read = pandas.read_csv(out) if target == "csv" else pandas.read_parquet(out)
    assert list(read.columns) == ["id", "text", "answer", *FACTS]
    assert list(read["answer"]) == [QUESTION.format(text=text) for text in frame["text"]]
    assert list(read["_cached"]) == [False] * 1500 + [True] * 1500
    assert sorted(tmp_path.iterdir()) == sorted([given, out])


def test_a_file_is_answered_beside_it(tmp_path):
    given = tmp_path / "questions.csv"
    given.write_text("text,why\ntravel,\n,none\n", encoding="utf-8")
    out = headrace.map(str(given), QUESTION, model="simulated/echo", client=simulated())
    assert out == tmp_path / "questions.answers.csv"
    read = pandas.read_csv(out)
    assert read["answer"][0] == "Which scope is travel?"
    assert "'text' has no value" in read["_error"][1]


@pytest.mark.parametrize(
    ("frame", "template", "call", "words"),
    [
        (pandas.DataFrame({"a": [1]}), "{b}", {}, "lacks: it has 'a'"),
        (pandas.DataFrame({"answer": [1]}), "{answer}", {}, "rename or drop"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "{a}", {}, "two columns 'a'"),
        (["a"], "no column", {}, "names no column"),
        (["a"], "{a", {}, "braces that stay"),
        (["a"], "{a} {b}", {}, "give dicts"),
        ([{"a": 1}], "{b}", {}, "row 0 lacks 'b'"),
        (["a"], 3, {}, "template is of type int"),
        (7, "{a}", {}, "frame is of type int"),
        ("nothing.csv", "{a}", {}, "there is no file"),
        ("nothing.xlsx", "{a}", {}, "neither .csv nor .parquet"),
        (["a"], "{a}", {"mode": "batch"}, "needs run="),
        (["a"], "{a}", {"mode": "later"}, "give 'now'"),
        (["a"], "{a}", {"concurrency": 0}, "concurrency is 0"),
        (["a"], "{a}", {"budget": "much"}, "budget is 'much'"),
        (["a"], "{a}", {"budget": "-1"}, "budget is '-1'"),
        (["a"], "{a}", {"schema": {}}, "schema has no fields"),
        (["a"], "{a}", {"schema": "text"}, "schema is of type str"),
        (["a"], "{a}", {"schema": JSON_SCHEMA, "response_format": {}}, "give schema alone"),
        (["a"], "{a}", {"messages": []}, "messages has no place"),
        (["a"], "{a}", {"client": "openai"}, "client is of type str"),
        (["a"], "{a}", {"progress": "loud"}, "progress is 'loud'"),
        (["a"], "{a}", {"output": "x.csv"}, "output is for a file"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_asked(frame, template, call, words):
    provider = headrace.providers.Simulated(time_to_first_token=0)
    with pytest.raises(headrace.ConfigError, match=words):
        headrace.map(frame, template, **{"model": "simulated/echo", "client": headrace.Client(provider)} | call)
    assert provider.requests == 0


def test_a_float_is_no_budget():
    with pytest.raises(TypeError, match="give a Decimal"):
        headrace.map(["a"], "{a}", model="simulated/echo", client=simulated(), budget=5.0)


def test_what_holds_for_every_row_is_raised():
    with pytest.raises(headrace.UnknownModel):
        headrace.map(["a", "b"], "{a}", model="nobody/none", client=simulated())
    with RawServer(error(401)) as server, pytest.raises(headrace.AuthenticationError):
        headrace.map(["a", "b"], "{a}", model=MODEL, client=client_of(server))


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_a_row_that_fails_says_why_and_the_others_are_answered(ask):
    def reply(request):
        return error(500) if "waste" in asked(request) else repeat(request)

    with RawServer(reply) as server, client_of(server) as client:
        out = ask(pandas.DataFrame({"text": TEXTS}), QUESTION, model=MODEL, client=client)
        assert [text is None or text != text for text in out["answer"]] == [text == "waste" for text in TEXTS]
        assert all("ProviderUnavailable" in told for told in out["_error"].dropna())
        assert sum(out["_cost"]) == client.costs.total == 2 * COST
        failed = headrace.map(TEXTS, QUESTION, model=MODEL, client=client)[1]
        assert isinstance(failed, headrace.ProviderUnavailable)


def test_a_hole_in_the_question_is_not_asked():
    frame = pandas.DataFrame({"text": ["a", None], "n": [1.5, float("nan")]})
    provider = headrace.providers.Simulated(time_to_first_token=0)
    out = headrace.map(frame, "{text} {n}", model="simulated/echo", client=headrace.Client(provider))
    assert "'text' has no value" in out["_error"][1]
    assert provider.requests == 1


@pytest.mark.parametrize("schema", [Disclosure, JSON_SCHEMA])
def test_a_schema_unfolds_into_columns(schema):
    answers = {"a": {"topic": "E1", "pages": 3}, "b": {"topic": "E5"}, "c": {"topic": "S1"}, "d": "no JSON"}

    def reply(request):
        form = request.json["response_format"]
        assert (form["type"], form["json_schema"]["name"]) == ("json_schema", "Disclosure")
        answer = answers[asked(request)[-1]]
        return whole(answer if isinstance(answer, str) else json.dumps(answer))

    with RawServer(reply) as server, client_of(server) as client:
        call = {"model": MODEL, "client": client, "schema": schema}
        out = headrace.map(pandas.DataFrame({"text": list("abcd")}), "Read {text}", **call)
        assert list(out["topic"][:2]) == ["E1", "E5"]
        assert out["pages"].dtype == "Int64"
        assert out["pages"][0] == 3
        assert out["topic"][2:].isna().all()
        assert "topic" in out["_error"][2]
        assert "no JSON" in out["_error"][3]
        assert "S1" not in out["_error"][2]
        out = headrace.map(polars.DataFrame({"text": list("ab")}), "Read {text}", **call)
        assert out["topic"].to_list() == ["E1", "E5"]
        [first, _] = headrace.map(list("ab"), "Read {}", **call)
        assert first.parsed == (Disclosure(topic="E1", pages=3) if schema is Disclosure else answers["a"])


def test_an_answer_that_was_cut_is_no_row_of_a_table():
    with RawServer(whole('{"topic": "E1"', finish="length")) as server, client_of(server) as client:
        out = headrace.map(pandas.DataFrame({"text": ["a"]}), "{text}", model=MODEL, client=client, schema=Disclosure)
        assert "cut by its longest length" in out["_error"][0]
        out = headrace.map(pandas.DataFrame({"text": ["a"]}), "{text}", model=MODEL, client=client)
        assert out["answer"][0] == '{"topic": "E1"'


def test_a_conversation_is_a_template():
    template = [{"role": "system", "content": "Answer in {language}."}, {"role": "user", "content": "{text}"}]
    with RawServer(repeat) as server, client_of(server) as client:
        headrace.map([{"language": "German", "text": "Hallo"}], template, model=MODEL, client=client)
        assert [one["content"] for one in server.requests[0].json["messages"]] == ["Answer in German.", "Hallo"]


def test_parameters_go_along_and_tags_are_the_callers_too():
    with RawServer(repeat) as server, client_of(server) as client:
        headrace.map(["a"], "{}", model=MODEL, client=client, temperature=0, max_tokens=7, tenant="t", tags=["p=q"])
        assert (server.requests[0].json["temperature"], server.requests[0].json["max_tokens"]) == (0, 7)
        [record] = client.costs.records(tenant="t")
        assert record.tags[1:] == ["p=q"]
        assert record.tags[0].startswith("map=")


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_that_ends_before_the_rows_is_not_passed(concurrency, ask):
    frame = pandas.DataFrame({"text": [f"question {n % 60}" for n in range(100)]})
    with RawServer(repeat) as server, client_of(server) as client:
        call = {"model": MODEL, "client": client, "max_tokens": 5, "concurrency": concurrency}
        out = ask(frame, "{text}", budget=COST * 20, **call)
        bill = sum(out["_cost"])
        assert bill == client.costs.total == COST * server.count <= COST * 20
        assert server.count > 10
        unreached = out["_error"] == "budget"
        assert list(out["answer"][~unreached]) == list(frame["text"][~unreached])
        assert unreached.sum() > 0
        assert client.costs.budgets() == []
        # The cache answers what was answered, and the rest has the money that it is given.
        again = ask(frame, "{text}", budget=COST * 1000, **call)
        assert list(again["answer"]) == list(frame["text"])
        assert client.costs.total == COST * 60


def test_a_budget_of_nothing_still_takes_what_the_cache_has():
    with RawServer(repeat) as server, client_of(server) as client:
        client.chat(MODEL, "a", max_tokens=5)
        out = headrace.map(["a", "b"], "{}", model=MODEL, client=client, budget=0, max_tokens=5)
        assert out[0].text == "a"
        assert isinstance(out[1], headrace.BudgetExceeded)


def test_an_estimate_asks_nothing_and_holds():
    texts = [f"What is item {n % 30}?" for n in range(50)]
    with RawServer(told("An answer.")) as server, client_of(server) as client:
        call = {"model": MODEL, "client": client, "max_tokens": 40}
        client.chat(MODEL, texts[0], max_tokens=40)
        before = server.count
        made = headrace.map(texts, "{}", dry_run=True, **call)
        assert isinstance(made, headrace.MapEstimate)
        assert (made.rows, made.distinct, made.hits) == (50, 30, 1)
        assert asyncio.run(headrace.amap(texts, "{}", dry_run=True, **call)) == made
        assert server.count == before
        assert 0 < made.cost_low < made.cost < made.cost_high
        assert made.seconds > 0
        spent = client.costs.total
        headrace.map(texts, "{}", **call)
        assert client.costs.total - spent <= made.cost_high
        assert headrace.map(texts, "{}", dry_run=True, **call).cost_high == 0
        assert json.loads(json.dumps(made.to_dict()))["rows"] == 50
        assert pickle.loads(pickle.dumps(made)) == made


def test_the_answers_of_a_run_tell_how_long_the_next_will_be(tmp_path):
    with RawServer(told("An answer.", usage=USAGE | {"completion_tokens": 30})) as server:
        call = {"model": MODEL, "max_tokens": 40, "run": tmp_path / "q.db"}
        headrace.map(["a"], "{}", client=client_of(server), **call)
        made = headrace.map(["a", "b"], "{}", client=client_of(server), dry_run=True, **call)
        assert made.hits == 1
        thirty = headrace.CostTracker().quote(MODEL, headrace.Usage(0, 30)).cost
        assert thirty < made.cost < thirty * 2


@given(st.lists(st.text(max_size=12), max_size=30), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_any_texts_come_back_in_order_and_sum_to_the_bill(texts, concurrency):
    client = simulated()
    out = headrace.map(texts, "Q: {}", model="simulated/echo", client=client, concurrency=concurrency, cache=False)
    assert [r.text for r in out] == [f"Q: {text}" for text in texts]
    assert sum(r.cost for r in out) == client.costs.total
    assert len(client.costs.records()) == len(set(texts))


@given(st.dictionaries(st.text("abc .[]!", min_size=1, max_size=5), st.text(max_size=5), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_column_is_taken_by_its_whole_name(row):
    names = [name for name in row if "!" not in name]
    if names:
        assert Template(" ".join(f"{{{name}}}" for name in names)).fill(row) == " ".join(row[name] for name in names)


def test_a_template_looks_into_no_value():
    assert Template("{a.__class__}").columns == ["a.__class__"]


def test_a_reference_in_a_schema_is_followed():
    class Inner(BaseModel):
        unit: str

    class Outer(BaseModel):
        kind: Literal["a"] | None
        share: float
        inner: Inner

    assert [column.kind for column in Form(Outer).columns] == ["text", "number", "any"]


def test_the_hook_of_the_client_is_told():
    told = []
    headrace.map(["a", "b"], "{}", model="simulated/echo", client=simulated(on_call=told.append))
    assert sorted(r.text for r in told) == ["a", "b"]


def test_no_text_of_a_row_is_logged(caplog):
    with RawServer(whole("secret answer")) as server, client_of(server) as client, caplog.at_level(logging.DEBUG):
        headrace.map(["secret question"], "{}", model=MODEL, client=client, schema=Disclosure)
    assert "secret" not in caplog.text
