"""What several scenarios do: ask many questions at once, and see which answers are right."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

import headrace
from headrace import providers
from headrace.loadtest.targets import Targets
from headrace.workload import Request

# The simulated provider names the question that it answers.
_ANSWERED = re.compile(r'^Re "(.*?)": ', re.DOTALL)


# Threads take turns, so a little lag is usual.
_MOST_LAG_MS = 20.0


@dataclass(frozen=True)
class Answer:
    """What came of one question."""

    request: Request
    at: float
    ms: float
    lag_ms: float = 0.0
    text: str = ""
    hit: bool = False
    cost: Decimal = Decimal(0)
    error: str | None = None


class AskedQuestions:
    """Questions of a workload, and what each asks, so that an answer to another question is told."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = list(requests)
        self._asks = {request.prompt: request.answer_key for request in requests}

    def is_right(self, answer: Answer) -> bool:
        """Whether an answer is to the question, or to one that asks the same."""
        found = _ANSWERED.match(answer.text)
        # A real provider does not say which question it answers: then there is nothing to compare.
        return found is None or self._asks.get(found[1]) == answer.request.answer_key


def ask_all(
    client: headrace.Client,
    model: str,
    questions: AskedQuestions,
    *,
    workers: int,
    before: Callable[[], object] | None = None,
    cache: bool = True,
    timeout: float = 30.0,
) -> list[Answer]:
    """Ask everything, so many at once; answers in the order of the questions."""
    started = time.perf_counter()

    def ask(request: Request) -> Answer:
        due = time.perf_counter()
        if before:
            before()
        lag = (time.perf_counter() - due) * 1000
        try:
            got = client.chat(
                model, request.messages, priority=request.priority, tenant="loadtest", timeout=timeout, cache=cache
            )
        except headrace.HeadraceError as error:
            now = time.perf_counter()
            return Answer(request, now - started, (now - due) * 1000, lag, error=type(error).__name__)
        now = time.perf_counter()
        return Answer(request, now - started, (now - due) * 1000, lag, got.text, got.cache is not None, got.cost)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(ask, questions.requests))


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
