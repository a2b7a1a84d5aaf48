"""The reckoning of a map: rows counted, tokens counted, lengths and times as they were before."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from headrace._core.cost import Usage
from headrace.frame.estimate import MapEstimate
from headrace.frame.store import RunFile
from headrace.frame.work import Question, Settings, longest_of, questions

__all__ = ["estimate"]

# Where no call to the model was ever timed: the first word, and tokens a second after it.
_FIRST_WORD, _TOKENS_A_SECOND = 0.6, 60.0
_TIMED = 200
# A batch is answered or given up within a day.
_A_BATCH = 86_400.0


def estimate(settings: Settings, store: RunFile) -> MapEstimate:
    """Walk the rows and count.

    Args:
        settings: what is to be asked.
        store: what is answered already.
    """
    rows = distinct = hits = 0
    low = expected = high = Decimal(0)
    tokens = 0.0
    length = store.mean_output() or _mean_of_ledger(settings)
    quoted = _quoter(settings)
    for question, failed in questions(settings):
        rows += 1
        if not store.is_new(question.key, question.place):
            continue
        distinct += 1
        if failed is not None:
            continue
        if (
            store.has(question.key)
            or store.batches.has(question.key)
            or settings.client._is_cached(settings.call(question.prompt))
        ):
            hits += 1
            continue
        least, middle, most, output = quoted(question, length)
        low, expected, high, tokens = low + least, expected + middle, high + most, tokens + output
    asked = distinct - hits
    return MapEstimate(rows, distinct, hits, low, expected, high, _time(settings, asked, tokens))


def _quoter(settings: Settings) -> Callable[[Question, float | None], tuple[Decimal, Decimal, Decimal, float]]:
    """The cost of a question at least, as expected, and at most; and the tokens that its answer should have."""
    costs, model, longest = settings.client.costs, settings.model, longest_of(settings.params)
    tier = "batch" if settings.mode == "batch" else None

    def quoted(question: Question, length: float | None) -> tuple[Decimal, Decimal, Decimal, float]:
        worst = Usage.estimate(model, question.prompt, max_output_tokens=longest)
        put = worst.input_tokens
        output = min(worst.output_tokens, max(1, round(length if length is not None else put)))
        amounts = [
            costs.quote(model, Usage(input_tokens=put, output_tokens=count, service_tier=tier)).cost
            for count in (min(1, worst.output_tokens), output, worst.output_tokens)
        ]
        return amounts[0], amounts[1], amounts[2], float(output)

    return quoted


def _mean_of_ledger(settings: Settings) -> float | None:
    """The mean length of the answers that the model gave before."""
    name = settings.model.rpartition("/")[2]
    rows = settings.client.costs.summary("model", model=name)
    calls = sum(row["calls"] - row["cache_hits"] for row in rows)
    return sum(row["output_tokens"] for row in rows) / calls if calls else None


def _time(settings: Settings, asked: int, tokens: float) -> float:
    if not asked:
        return 0.0
    if settings.mode == "batch":
        return _A_BATCH
    name = settings.model.rpartition("/")[2]
    records = settings.client.costs.records(model=name, limit=_TIMED, newest_first=True)
    timed = [record.latency for record in records if record.latency is not None and record.cache is None]
    mean = sum(timed) / len(timed) if timed else _FIRST_WORD + tokens / asked / _TOKENS_A_SECOND
    return mean * -(-asked // settings.concurrency)
