"""The ESG workload: seeded, labelled, varied."""

import json

import pytest
from headrace.workload import ESG, Request
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_stream_is_part_of_the_contract():
    esg = ESG(seed=42, languages=["en", "de", "fr", "pt"], session_share=0.2, document_share=0.1)
    assert esg.digest(1000) == "25c59e2221d483d6e93dbfb57c0d5482e89705d9fc00edb35891beebb3cb5563"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), zipf=st.floats(0, 3), share=st.floats(0, 1))
def test_the_same_seed_gives_the_same_requests(seed, zipf, share):
    args = {"seed": seed, "zipf": zipf, "paraphrase_share": share, "session_share": share / 2}
    assert ESG(**args).take(50) == ESG(**args).take(50)


def test_iterating_begins_anew():
    esg = ESG(seed=5)
    assert [next(iter(esg)) for _ in range(2)] == esg.take(1) * 2
    assert [r for r, _ in zip(esg, range(10), strict=False)] == esg.take(10)


def test_written_lines_are_the_requests(tmp_path):
    esg = ESG(seed=5, session_share=0.5)
    esg.to_jsonl(tmp_path / "requests.jsonl", 200)
    lines = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text(encoding="utf-8").splitlines()]
    requests = esg.take(200)
    assert [line["prompt"] for line in lines] == [request.prompt for request in requests]
    assert [len(line["history"]) + 1 for line in lines] == [len(request.messages) for request in requests]
    assert [line["priority"] for line in lines] == [request.priority for request in requests]


def test_near_misses_and_paraphrases_are_both_there():
    requests = ESG(seed=1, questions=200).take(5000)
    by_key: dict[str, set[str]] = {}
    for request in requests:
        by_key.setdefault(request.answer_key, set()).add(request.prompt)
    assert len(by_key) > 150
    assert sum(len(texts) > 1 for texts in by_key.values()) > 100
    keys = {tuple(key.split("|")) for key in by_key}
    close = sum(
        1
        for a in keys
        for b in keys
        if a < b and len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1
    )
    assert close > 50
    assert 0.2 < sum(request.near_miss for request in requests) / len(requests) < 0.7


def test_tenants_and_priorities():
    requests = ESG(tenants=["a", "b"], priorities=(1, 0, 0, 1), seed=9).take(1000)
    assert {request.tenant for request in requests} == {"a", "b"}
    assert {request.priority for request in requests} == {"critical", "low"}


def test_a_request_of_ones_own():
    request = Request(
        "And in 2022?", messages=[{"role": "user", "content": "Scope 1?"}], answer_key="k", priority="high"
    )
    assert [message["content"] for message in request.messages] == ["Scope 1?", "And in 2022?"]
    assert (request.answer_key, request.priority, request.tenant) == ("k", "high", "default")
    assert hash(request) == hash(
        Request("And in 2022?", messages=[{"role": "user", "content": "Scope 1?"}], answer_key="k", priority="high")
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"zipf": float("nan")},
        {"paraphrase_share": 1.5},
        {"questions": 0},
        {"tenants": []},
        {"languages": ["xx"]},
        {"priorities": (0, 0, 0, 0)},
    ],
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=r"give|must"):
        ESG(**bad)


def test_a_bad_request_is_refused():
    with pytest.raises(ValueError, match="priority"):
        Request("x", priority="urgent")
    with pytest.raises(ValueError, match="role"):
        Request("x", messages=[{"role": "robot", "content": "y"}])
