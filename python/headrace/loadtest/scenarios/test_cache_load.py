"""The semantic cache at work: lookups from many threads, and the hit rate as it warms up."""

from __future__ import annotations

import time

import pytest

from headrace.loadgen import Target, closed_loop
from headrace.loadtest.runs import PYTHON_LAG
from headrace.loadtest.scenario import Scenario
from headrace.loadtest.work import AskedQuestions, ask_all, count_wrong_hits, errors, late
from headrace.workload import ESG, Request

MOST_ROUNDS = 6


@pytest.mark.scenario("cache_load", suite="comprehensive", title="Semantic cache performance", seconds=8.0)
def test_cache_load(scenario: Scenario) -> None:
    """A thousand known questions, asked again in other words and beside near misses: how fast, how many, how right."""
    workload = ESG(seed=scenario.seed, questions=400, zipf=0.8, paraphrase_share=0.5, near_miss_share=0.4)
    requests = workload.take(1000 + MOST_ROUNDS * 400)
    known = requests[:1000]
    cache = scenario.config.cache()
    cache.put_many([request.prompt for request in known], [request.answer_key for request in known])

    for round in scenario.rounds(least=2, most=MOST_ROUNDS):
        # Others each round: a question that is asked again is no new evidence.
        asked = requests[1000 + round.index * 400 :][:400]
        found: list[tuple[bool, bool]] = []

        def look(request: Request, found: list[tuple[bool, bool]] = found) -> dict[str, object]:
            hit = cache.get(request.prompt)
            found.append((hit is not None, hit is not None and hit.response != request.answer_key))
            return {"cache": "miss" if hit is None else hit.kind}

        target = Target.python(look, workers=scenario.config.workers(8))
        run = closed_loop(target, asked, users=8, per_user=50, max_lag=PYTHON_LAG, seed=round.index)
        round.run(run, latency="lookup_ms")
        hits, wrong = sum(hit for hit, _ in found), sum(bad for _, bad in found)
        round.rate("hit_rate", hits, len(found))
        round.rate("wrong_hit_rate", wrong, max(1, hits))
        round.count("wrong_hits", wrong)
        # Word for word what is kept, but for another tenant.
        round.count("foreign_hits", sum(cache.get(r.prompt, tenant="other") is not None for r in known[:100]))
        brief = known[100:120]
        for request in brief:
            cache.put(request.prompt, request.answer_key, tenant="brief", ttl=0.01)
        time.sleep(0.05)
        round.count("expired_hits", sum(cache.get(r.prompt, tenant="brief") is not None for r in brief))
        if round.index == 0:
            round.series("hit rate", _so_far([hit for hit, _ in found]), "question, percent")
            round.series("wrong-hit rate", _so_far([bad for _, bad in found]), "question, percent")


def _so_far(marks: list[bool]) -> list[tuple[float, float]]:
    total, points = 0, []
    for n, mark in enumerate(marks, 1):
        total += mark
        points.append((float(n), total / n * 100))
    return points


@pytest.mark.scenario("cache_warm_up", suite="comprehensive", title="Cache warm-up", seconds=8.0)
def test_cache_warm_up(scenario: Scenario) -> None:
    """From an empty cache: the hit rate of the last hundred questions against that of the first."""
    for round in scenario.rounds(least=2):
        workload = ESG(seed=scenario.seed + round.index, questions=80, zipf=1.1)
        questions = AskedQuestions(workload.take(300))
        client = scenario.config.client(cache=scenario.config.cache(), time_to_first_token=0.002)
        answers = ask_all(
            client, scenario.config.model, questions, workers=8, before=scenario.config.starve, left=scenario.left
        )
        if late(answers):
            round.void(late(answers))
        hits = [answer.hit for answer in answers]
        round.check("rises", sum(hits[200:]) > sum(hits[:100]))
        round.rate("warm_hit_rate", sum(hits[200:]), 100)
        count_wrong_hits(round, questions, answers)
        round.errors(errors(answers))
        if round.index == 0:
            round.series("hit rate while it warms up", _so_far(hits), "question, percent")
