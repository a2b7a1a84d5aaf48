"""The command `headrace cost`, as a user gives it, rightly and wrongly."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from headrace import CostTracker, Usage
from headrace.cli import main

NOW = datetime.now(timezone.utc)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "costs.db"
    costs = CostTracker(url=f"sqlite:///{path}")
    for day in range(3):
        costs.record("openai/gpt-4o", Usage(1000, 100), tenant="acme", tags=["project=x"], at=NOW - timedelta(days=day))
    costs.record("acme/unheard-of", Usage(1000, 100), tenant="other", at=NOW)
    return path


def test_every_verb_answers(file, tmp_path, capsys):
    url = f"sqlite:///{file}"
    assert main(["cost", "summary", url, "--by", "tenant,tag:project", "--json"]) == 0
    rows = {row["tenant"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["acme"]["calls"], rows["acme"]["tag:project"], rows["acme"]["cost"]) == (3, "x", "0.0105")
    assert rows["other"]["energy_wh"] is None, "unknown is not zero"
    assert main(["cost", "summary", str(file), "--bucket", "day", "--timezone", "Asia/Tokyo"]) == 0
    assert " 00:00:00  " in capsys.readouterr().out.splitlines()[1]
    assert main(["cost", "records", url, "--limit", "1"]) == 0
    assert "acme" in capsys.readouterr().out
    assert main(["cost", "export", url, str(tmp_path / "focus.csv"), "--format", "focus"]) == 0
    assert main(["cost", "report", url, "--period", "week", "--html", str(tmp_path / "report.html")]) == 0
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert "is an estimate: 1." in capsys.readouterr().out
    assert main(["cost", "purge", url, "--before", "2100-01-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out == "4 records forgotten\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["summary", "sqlite:///{dir}/typo.db"], "there is no ledger at"),
        (["summary", "{dir}/typo.db"], "there is no ledger at"),
        (["summary", "memory://"], "ends with its process"),
        (["summary", "postgres://user:secret@host/db"], "postgres"),
        (["summary", "{file}", "--by", "colour"], "give provider, model"),
        (["summary", "{file}", "--since", "yesterday"], "'yesterday' is no date or time: write it as 2026-11-01"),
        (["summary", "{file}", "--bucket", "day", "--timezone", "Mars"], "give an IANA name"),
        (["records", "{file}", "--limit", "-1"], "whole number"),
        (["records", "{file}", "--limit", "ten"], "'ten' is no count"),
        (["report", "{file}", "--timezone", "Mars"], "give an IANA name"),
        (["report", "{file}", "--period", "year"], "give day, week or month"),
        (["report", "{file}", "--share", "lots"], "give one above 0"),
        (["report", "{file}", "--move-to", "acme/none"], "no price list has"),
        (["report", "{file}", "--since", "2100-01-01"], "not before"),
        (["export", "{file}", "{dir}/no/such/folder.csv"], "cannot be written"),
        (["purge", "{file}"], "--before"),
    ],
)
def test_wrong_arguments_are_told_and_make_nothing(arguments, told, file, tmp_path, capsys):
    given = ["cost", *(text.format(dir=tmp_path, file=file) for text in arguments)]
    try:
        status = main(given)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    said = capsys.readouterr().err
    assert told in said
    assert "secret" not in said
    assert not (tmp_path / "typo.db").exists()
