"""What several scenarios do: ask many questions at once, and see which answers are right."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

import headrace
from headrace import providers
from headrace.loadtest.round import Round
from headrace.loadtest.targets import Targets
from headrace.workload import Request

# The simulated provider names the question that it answers.
_ANSWERED = re.compile(r'^Re "(.*?)": ', re.DOTALL)


# Threads take turns, so a little lag is usual.
_MOST_LAG_MS = 20.0
# When an answer is given up, in seconds.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    """What came of one question."""

    request: Request
    at: float
    ms: float
    lag_ms: float = 0.0
    text: str = ""
    id: str | None = None
    hit: bool = False
    cost: Decimal = Decimal(0)
    error: str | None = None


class AskedQuestions:
    """Questions of a workload, and what each asks, so that an answer to another question is told."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = list(requests)
        self._asks = {request.prompt: request.answer_key for request in requests}

    def is_right(self, answer: Answer) -> bool | None:
        """Whether an answer is to the question, or to one that asks the same; None where it does not say."""
        found = _ANSWERED.match(answer.text)
        return None if found is None else self._asks.get(found[1]) == answer.request.answer_key

    def wrong_hits(self, answers: Sequence[Answer]) -> tuple[int, int]:
        """How many answers out of the cache are to another question, and of how many that could not be told.

        An answer that does not name its question is known by the identity that the provider gave it when it was
        computed: from then on it belongs to the question of that time.
        """
        computed: defaultdict[str | None, set[str]] = defaultdict(set)
        for answer in answers:
            if answer.error is None and not answer.hit:
                computed[answer.id].add(answer.request.answer_key)
        wrong = untold = 0
        for answer in answers:
            if not answer.hit:
                continue
            right, keys = self.is_right(answer), computed.get(answer.id, set())
            if right is None and answer.id is not None and len(keys) == 1:
                right = answer.request.answer_key in keys
            wrong += right is False
            untold += right is None
        return wrong, untold


def ask_all(
    client: headrace.Client,
    model: str,
    questions: AskedQuestions,
    *,
    workers: int,
    before: Callable[[], object] | None = None,
    cache: bool = True,
    left: Callable[[], float] = lambda: _PATIENCE,
) -> list[Answer]:
    """Ask everything, so many at once; answers in the order of the questions.

    Args:
        client: who asks.
        model: whom.
        questions: what.
        workers: how many at once.
        before: called before each.
        cache: whether the client's may answer.
        left: seconds that there are; what was not asked when none are left counts as failed.
    """
    started = time.perf_counter()

    def ask(request: Request) -> Answer:
        due = time.perf_counter()
        if before:
            before()
        lag = (time.perf_counter() - due) * 1000
        timeout = min(_PATIENCE, left())
        if timeout <= 0:
            return Answer(request, due - started, 0.0, lag, error="not asked, the time was up")
        try:
            got = client.chat(
                model, request.messages, priority=request.priority, tenant="loadtest", timeout=timeout, cache=cache
            )
        except headrace.HeadraceError as error:
            now = time.perf_counter()
            return Answer(request, now - started, (now - due) * 1000, lag, error=type(error).__name__)
        now = time.perf_counter()
        took, id = (now - due) * 1000, got.raw.get("id")
        return Answer(request, now - started, took, lag, got.text, id, got.cache is not None, got.cost)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(ask, questions.requests))


def errors(answers: Sequence[Answer]) -> Counter[str]:
    """How many failed, by kind."""
    return Counter(answer.error for answer in answers if answer.error is not None)


def count_wrong_hits(round: Round, questions: AskedQuestions, answers: Sequence[Answer]) -> None:
    """Record answers out of the cache to other questions; say so where that cannot be told."""
    hits = sum(answer.hit for answer in answers)
    wrong, untold = questions.wrong_hits(answers)
    if untold and untold == hits:
        for metric in ("wrong_hits", "wrong_hit_rate"):
            round.untested(metric, "the target's answers have no id of their own, so that no hit can be told wrong")
    elif untold:
        round.note("some hits cannot be told right from wrong: the target's answers have no id of their own")
    if untold < hits or not hits:
        round.count("wrong_hits", wrong)
        round.rate("wrong_hit_rate", wrong, max(1, hits - untold))


def count_mixed_up(round: Round, questions: AskedQuestions, answers: Sequence[Answer]) -> None:
    """Record answers to another's question; say so where answers do not name their question."""
    told = [questions.is_right(answer) for answer in answers if answer.error is None]
    if told and all(right is None for right in told):
        round.untested("mixed_up", "the target's answers do not name the question that they answer")
    else:
        round.count("mixed_up", told.count(False))


def late(answers: Sequence[Answer]) -> str:
    """Why nothing may be concluded: most questions were sent late. Empty where they were not."""
    lag = float(np.median([answer.lag_ms for answer in answers])) if answers else 0.0
    if lag <= _MOST_LAG_MS:
        return ""
    return f"the generator was late by {lag:.1f} ms in the median, {_MOST_LAG_MS:.0f} ms are allowed: give it more CPU"


def overhead_ms(answers: Sequence[Answer], own_latency_ms: float | None) -> list[float]:
    """What each answer took beyond the provider's own latency; where that is unknown, beyond the fastest answer."""
    times = [answer.ms for answer in answers if answer.error is None]
    own = own_latency_ms if own_latency_ms is not None else min(times, default=0.0)
    return [max(0.0, ms - own) for ms in times]


def least_ms(seconds: float, workers: int) -> float:
    """What an answer after so many seconds takes here at least: so many threads that do nothing but wait for it.

    A busy machine wakes them late. That is the machine's doing, and none of what is tested.
    """

    def wait(_: int) -> float:
        began = time.perf_counter()
        time.sleep(seconds)
        return (time.perf_counter() - began) * 1000

    with ThreadPoolExecutor(workers) as pool:
        return float(np.mean(list(pool.map(wait, range(workers)))))


@contextmanager
def at_least(seconds: float, workers: int) -> Iterator[Future[float]]:
    """Measure `least_ms` while something else is done: a busy machine is busy by the moment, and so it is the same one."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(least_ms, seconds, workers)


def record_overhead(round: Round, answers: Sequence[Answer], own_latency_ms: float | None) -> None:
    """Record what was added to the provider's own latency: each answer's, and their mean in this round.

    The median of such means is not moved by the one round in
    which the machine did something else; the mean of all would be, by far more than the samples can bound.
    """
    added = overhead_ms(answers, own_latency_ms)
    round.trend("answer_ms", [answer.ms for answer in answers if answer.error is None])
    round.trend("overhead_ms", added)
    if added:
        round.trend("overhead_mean_ms", [float(np.mean(added))])
    round.series("overhead", [(answer.at, ms) for answer, ms in zip(answers, added, strict=False)])


def resilience_checks(targets: Targets) -> Iterator[tuple[str, bool]]:
    """Each way to fail, and whether it ends in the error that it should, with nothing left behind."""
    with providers.SimulatedServer(seed=targets.seed, retry_after=0.01, time_to_first_token=0.001) as server:
        client = headrace.Client(
            [providers.OpenAICompatible(server.url, name="simulated")], cache=headrace.SemanticCache(), max_attempts=1
        )
        client.costs.set_budget(Decimal(1), tenant="resilience")

        def raises(kind: type[Exception], model: str = "simulated/esg", prompt: str = "What is scope 2?") -> bool:
            records = len(client.costs.records())
            try:
                client.chat(model, prompt, tenant="resilience", timeout=10)
            except kind as error:
                clean = len(client.cache) == 0 and len(client.queue) == 0 and len(client.costs.records()) == records
                return bool(str(error)) and clean
            return False

        yield "unknown model", raises(headrace.ProviderError, "simulated/nosuch")
        yield "invalid provider", raises(headrace.UnknownModel, "nosuch/model")
        yield "empty prompt", raises(ValueError, prompt="  ")
        faults = {
            "rate_limit": headrace.RateLimited,
            "server_error": headrace.ProviderUnavailable,
            "unavailable": headrace.ProviderUnavailable,
            "reset": headrace.ProviderUnavailable,
            "malformed": headrace.ProviderUnavailable,
        }
        for fault, kind in faults.items():
            server.set_faults({"schedule": [{"fault": fault, "from": 0, "until": 1}]})
            yield f"provider {fault}", raises(kind)
        server.set_faults({})
        patient = headrace.Client([providers.OpenAICompatible(server.url, name="simulated")], max_attempts=3)
        server.set_faults({"schedule": [{"fault": "rate_limit", "from": 0, "until": 1}]})
        yield "429 is tried again", patient.chat("simulated/esg", "What is scope 3?", timeout=10).attempts == 2
        yield "and then all is well", bool(client.chat("simulated/esg", "What is scope 2?", tenant="resilience").text)
    yield "bad embedding", _refuses_bad_embeddings()


def _refuses_bad_embeddings() -> bool:
    cache = headrace.SemanticCache()
    cache.put("good", "g", embedding=np.ones(8, dtype=np.float32))
    for bad in (np.zeros(8), np.full(8, np.nan), np.ones(9)):
        try:
            cache.put("bad", "b", embedding=bad)
        except headrace.EmbeddingError:
            continue
        return False
    return len(cache) == 1
