"""`headrace map`: a file in, a file out."""

import json

import pandas
import pytest
from headrace.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a file of rows, and no keys."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    pandas.DataFrame({"text": ["travel", "waste", "travel"], "n": [1, 2, 1]}).to_csv("rows.csv", index=False)


ECHO = ["--model", "simulated/echo", "--quiet"]


def test_a_csv_file_becomes_a_parquet_file(tmp_path, capsys):
    line = [
        "map",
        "rows.csv",
        "--template",
        "{text} {n}?",
        *ECHO,
        "-o",
        "out.parquet",
        "--budget",
        "1",
        "--run",
        "r.db",
    ]
    assert main([*line, "--max-tokens", "20"]) == 0
    read = pandas.read_parquet("out.parquet")
    assert list(read["answer"]) == ["travel 1?", "waste 2?", "travel 1?"]
    assert capsys.readouterr().out.startswith("out.parquet: 0.0")
    # Again: all of it stands in the run's file.
    assert main([*line, "--max-tokens", "20"]) == 0
    assert capsys.readouterr().out == "out.parquet: 0 USD now\n"


def test_a_dry_run_says_what_it_would_cost(capsys, tmp_path):
    assert main(["map", "rows.csv", "--template", "{text}", *ECHO, "--max-tokens", "9", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("3 rows, 2 distinct, 0 answered already: 2 to ask\nabout $")
    assert not (tmp_path / "rows.answers.csv").exists()


def test_rows_without_an_answer_are_told(capsys):
    assert main(["map", "rows.csv", "--template", "{text}", *ECHO, "--budget", "0"]) == 1
    assert capsys.readouterr().out == "rows.answers.csv: 0 USD now, 3 rows without an answer\n"
    assert list(pandas.read_csv("rows.answers.csv")["_error"]) == ["budget"] * 3


def test_texts_come_from_files_and_calls_go_into_a_ledger(tmp_path):
    (tmp_path / "question.txt").write_text("Which scope is {text}?", encoding="utf-8")
    (tmp_path / "schema.json").write_text(json.dumps({"type": "object", "properties": {"a": {}}}), encoding="utf-8")
    line = ["map", "rows.csv", "--template", "@question.txt", "--system", "Answer {briefly}.", *ECHO]
    assert main([*line, "--ledger", "sqlite:///costs.db"]) == 0
    assert pandas.read_csv("rows.answers.csv")["answer"][0] == "Which scope is travel?"
    assert (tmp_path / "costs.db").exists()
    # The simulated provider gives no JSON.
    assert main([*line, "--schema", "schema.json"]) == 1
    assert list(pandas.read_csv("rows.answers.csv").columns[:3]) == ["text", "n", "a"]


def test_a_schema_that_is_no_json_is_told(capsys, tmp_path):
    (tmp_path / "schema.json").write_text("{", encoding="utf-8")
    assert main(["map", "rows.csv", "--template", "{text}", *ECHO, "--schema", "schema.json"]) == 2
    assert "schema.json is no JSON" in capsys.readouterr().err
